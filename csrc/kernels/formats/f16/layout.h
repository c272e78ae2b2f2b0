/* f16 panels. */
#ifndef PYINFER_KERNELS_FORMATS_F16_LAYOUT_H
#define PYINFER_KERNELS_FORMATS_F16_LAYOUT_H

#include "pyinfer/panels.h"

/* A line holds two inputs of each row. */
struct pi_group_16bit {
    uint16_t w[PI_GROUP_INPUTS / 2][PI_PANEL_ROWS][2];
};

_Static_assert(sizeof(struct pi_group_16bit) == PI_GROUP_BYTES_F16, "f16 group");

#endif
