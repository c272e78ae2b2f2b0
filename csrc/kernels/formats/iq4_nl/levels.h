/* The sixteen levels of iq4_nl (ggml documentation). */
#ifndef PYINFER_KERNELS_FORMATS_IQ4_NL_LEVELS_H
#define PYINFER_KERNELS_FORMATS_IQ4_NL_LEVELS_H

#include "pyinfer/types.h"

static const int8_t PI_LEVELS_IQ4_NL[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                            1,    13,   25,  38,  53,  69,  89,  113};

#endif
