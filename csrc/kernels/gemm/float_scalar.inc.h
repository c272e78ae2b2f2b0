/* Template: scalar GEMM of a float format. Parameters: the scalar ones of a float format (README.md). */
#include "kernels/dot/float_scalar.inc.h"

#ifndef PARAM_KERNEL
#error "gemm/float_scalar.inc.h needs PARAM_KERNEL"
#endif

pi_gemm_fn PARAM_KERNEL;

void PARAM_KERNEL(const struct pi_gemm_args *a) {
    for (size_t t = 0; t < a->n_tiles * PI_TILE_TOKENS; t++) {
        const float *x = (const float *)a->x + t * a->x_stride;
        for (size_t p = 0; p < a->n_panels; p++) {
            const PARAM_GROUP *group =
                (const PARAM_GROUP *)(const void *)(a->w + p * a->panel_stride);
            float *out = a->out + t * a->out_stride + p * PI_PANEL_ROWS;
            for (size_t r = 0; r < PI_PANEL_ROWS; r++) {
                out[r] = row_dot(group, a->n_groups, r, x, a->accumulate ? out[r] : 0.0f);
            }
        }
    }
}

#include "kernels/undef_params.h"
