/* Template: one row of a packed float matrix as f32. Parameters: the scalar ones of a float format
 * (README.md). */
#include "kernels/util/f16.h"
#include "pyinfer/kernel_types.h"

#ifndef PARAM_KERNEL
#error "embed/float_scalar.inc.h needs PARAM_KERNEL"
#endif
#ifndef PARAM_GROUP
#error "embed/float_scalar.inc.h needs PARAM_GROUP"
#endif
#ifndef PARAM_WEIGHT
#error "embed/float_scalar.inc.h needs PARAM_WEIGHT"
#endif

pi_embed_fn PARAM_KERNEL;

void PARAM_KERNEL(float *out, const uint8_t *panels, size_t row, size_t n_groups) {
    const PARAM_GROUP *group =
        (const PARAM_GROUP *)(const void *)panels + row / PI_PANEL_ROWS * n_groups;
    const size_t r = row % PI_PANEL_ROWS;
    for (size_t g = 0; g < n_groups; g++, group++, out += PI_GROUP_INPUTS) {
        for (size_t i = 0; i < PI_GROUP_INPUTS; i++) {
            out[i] = PARAM_WEIGHT(group, i, r);
        }
    }
}

#include "kernels/undef_params.h"
