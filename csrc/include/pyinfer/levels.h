/* Instruction set levels: for each architecture one table of named sets of CPU features. */
#ifndef PYINFER_LEVELS_H
#define PYINFER_LEVELS_H

#include "pyinfer/cpu.h"
#include "pyinfer/types.h"

struct pi_kernels;

struct pi_level {
    const char *name; /* token, and suffix of the kernel files */
    uint32_t needs;   /* features of the CPU */
    void (*fill)(
        struct pi_kernels *kernels); /* every entry of the table; NULL: not in this build */
    const char *description;
};

/* The table of this architecture, in order of preference; the last level is scalar, which runs
 * everywhere. Defined in dispatch/<architecture>.c. */
const struct pi_level *pi_levels(size_t *count);

/* NULL if the architecture has no level of that name. */
const struct pi_level *pi_level_find(const char *name);

PI_INLINE bool pi_level_runs(const struct pi_level *level, uint32_t features) {
    return level->fill != NULL && (level->needs & ~features) == 0;
}

#endif
