/* bf16 panels: those of f16. */
#ifndef PYINFER_KERNELS_FORMATS_BF16_LAYOUT_H
#define PYINFER_KERNELS_FORMATS_BF16_LAYOUT_H

#include "kernels/formats/f16/layout.h"

_Static_assert(sizeof(struct pi_group_16bit) == PI_GROUP_BYTES_BF16, "bf16 group");

#endif
