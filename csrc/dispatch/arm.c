/* Levels of aarch64. A fill begins with the level that it builds on and replaces what it has better. */
#include "pyinfer/kernels.h"

static const struct pi_level LEVELS[] = {
    {"scalar", 0, pi_kernels_fill_scalar, "plain C, for any processor and many times slower"},
};

const struct pi_level *pi_levels(size_t *count) {
    *count = sizeof LEVELS / sizeof *LEVELS;
    return LEVELS;
}
