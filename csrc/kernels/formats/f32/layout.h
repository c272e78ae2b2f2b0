/* f32 panels. */
#ifndef PYINFER_KERNELS_FORMATS_F32_LAYOUT_H
#define PYINFER_KERNELS_FORMATS_F32_LAYOUT_H

#include "pyinfer/panels.h"

/* A line holds one input. */
struct pi_group_f32 {
    float w[PI_GROUP_INPUTS][PI_PANEL_ROWS];
};

_Static_assert(sizeof(struct pi_group_f32) == PI_GROUP_BYTES_F32, "f32 group");

#endif
