/* Template: AVX2 GEMM of a format with scaled parts. 128 inputs of a panel are expanded once and stay
 * in L1 while all tokens pass over them; the float sums live in `out` (L1). Parameters: the AVX2 ones
 * of a format with scaled parts (README.md). */
#include "kernels/dot/scaled_avx2.inc.h"

#ifndef PARAM_KERNEL
#error "gemm/scaled_avx2.inc.h needs PARAM_KERNEL"
#endif

pi_gemm_fn PARAM_KERNEL;

void PARAM_KERNEL(const struct pi_gemm_args *a) {
    for (size_t p = 0; p < a->n_panels; p++) {
        float *out = a->out + p * PI_PANEL_ROWS;
        for (size_t t = 0; !a->accumulate && t < a->n_tiles * PI_TILE_TOKENS; t++) {
            memset(out + t * a->out_stride, 0, PI_PANEL_ROWS * sizeof *out);
        }
        for (size_t g = 0; g < a->n_groups; g++) {
            const PARAM_GROUP *panel =
                (const PARAM_GROUP *)(const void *)(a->w + p * a->panel_stride);
            struct expanded w PI_ALIGNED(64);
            expand_group(panel + g / PARAM_SPAN, g % PARAM_SPAN, &w);
            for (size_t tile = 0; tile < a->n_tiles; tile++) {
                const uint8_t *x = (const uint8_t *)a->x + tile * a->x_stride;
                group_dot(&w, (const struct pi_a8_group *)(const void *)x + g * PI_TILE_TOKENS,
                          PI_TILE_TOKENS, out + tile * PI_TILE_TOKENS * a->out_stride,
                          a->out_stride);
            }
        }
    }
}

#include "kernels/undef_params.h"
