/* Template: scalar GEMM of a quantized format. Same steps in the same order per output as
 * the GEMV. Parameters: the scalar ones of a quantized format (README.md). */
#include "kernels/dot/quant_scalar.inc.h"

#ifndef PARAM_KERNEL
#error "gemm/quant_scalar.inc.h needs PARAM_KERNEL"
#endif

pi_gemm_fn PARAM_KERNEL;

void PARAM_KERNEL(const struct pi_gemm_args *a) {
    for (size_t t = 0; t < a->n_tiles * PI_TILE_TOKENS; t++) {
        const uint8_t *tile = (const uint8_t *)a->x + (t / PI_TILE_TOKENS) * a->x_stride;
        const struct pi_a8_group *x =
            (const struct pi_a8_group *)(const void *)tile + t % PI_TILE_TOKENS;
        for (size_t p = 0; p < a->n_panels; p++) {
            const PARAM_GROUP *group =
                (const PARAM_GROUP *)(const void *)(a->w + p * a->panel_stride);
            float *out = a->out + t * a->out_stride + p * PI_PANEL_ROWS;
            for (size_t r = 0; r < PI_PANEL_ROWS; r++) {
                const float f = a->accumulate ? out[r] : 0.0f;
                out[r] = row_dot(group, a->n_groups, r, x, PI_TILE_TOKENS, f);
            }
        }
    }
}

#include "kernels/undef_params.h"
