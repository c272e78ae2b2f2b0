/* Sizes of a packed weight matrix. */
#ifndef PYINFER_OPS_WEIGHT_H
#define PYINFER_OPS_WEIGHT_H

#include "pyinfer/ops.h"
#include "pyinfer/qtype.h"

PI_INLINE size_t pi_weight_group_bytes(const struct pi_weight *weight) {
    return pi_qtype_of(weight->format)->group_bytes;
}

PI_INLINE size_t pi_weight_panel_bytes(const struct pi_weight *weight) {
    return weight->n_groups * pi_weight_group_bytes(weight);
}

#endif
