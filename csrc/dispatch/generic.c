/* Levels of an architecture that has no kernels of its own. */
#include "pyinfer/kernels.h"

static const struct pi_level SCALAR = {"scalar", 0, pi_kernels_fill_scalar, "plain C"};

const struct pi_level *pi_levels(size_t *count) {
    *count = 1;
    return &SCALAR;
}
