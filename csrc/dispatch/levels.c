/* Choosing a level and filling the kernel table for it. */
#include "pyinfer/levels.h"
#include "pyinfer/kernels.h"
#include <string.h>

const struct pi_level *pi_level_find(const char *name) {
    size_t count;
    const struct pi_level *levels = pi_levels(&count);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(levels[i].name, name) == 0) {
            return &levels[i];
        }
    }
    return NULL;
}

enum pi_status pi_kernels_init(struct pi_kernels *kernels, const struct pi_level *level) {
    if (level == NULL || !pi_level_runs(level, pi_cpu_features())) {
        return PI_ERR_UNSUPPORTED;
    }
    memset(kernels, 0, sizeof *kernels);
    kernels->level = level;
    level->fill(kernels);
    return PI_OK;
}
