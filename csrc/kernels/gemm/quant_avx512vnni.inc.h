/* Template: quantized GEMM with vpdpbusd, a register tile of 2 panels (32 rows) x 8 tokens.
 * Parameters: the AVX-512 ones of a quantized format (README.md).
 *
 * The 16 integer accumulators live in registers for one block of 32 inputs; the 16
 * float accumulators live in `out` (L1), loaded and stored once per block: with both in registers
 * nothing would be left for weights. Slots per block: 128 dots, 16 x 3 for the scale step, 24 to
 * unpack nibbles. */
#include "kernels/dot/quant_avx512vnni.inc.h"
#include "pyinfer/kernel_types.h"

#ifndef PARAM_KERNEL
#error "gemm/quant_avx512vnni.inc.h needs PARAM_KERNEL"
#endif

pi_gemm_fn PARAM_KERNEL;

PI_INLINE void add_block(const PARAM_GROUP *const *group, size_t n_panels, size_t b,
                         const struct pi_a8_group *x, float *out, size_t out_stride,
                         bool from_zero) {
    __m512i isum_i32x16[2][PI_TILE_TOKENS];
    tile_dots(group, n_panels, b, x, PI_TILE_TOKENS, isum_i32x16);
    for (size_t p = 0; p < n_panels; p++) {
        const __m512 scale_f32x16 = pi_load_f16_512(group[p]->scale[b]);
        for (size_t t = 0; t < PI_TILE_TOKENS; t++) {
            float *f = out + t * out_stride + p * PI_PANEL_ROWS;
            const __m512 before = from_zero ? _mm512_setzero_ps() : _mm512_loadu_ps(f);
            _mm512_storeu_ps(f,
                             pi_scale_step(isum_i32x16[p][t], scale_f32x16, x[t].scale[b], before));
        }
    }
}

PI_INLINE void run(const struct pi_gemm_args *a, size_t tile, size_t panel, size_t n_panels) {
    const struct pi_a8_group *x = (const void *)((const uint8_t *)a->x + tile * a->x_stride);
    const uint8_t *w = a->w + panel * a->panel_stride;
    float *out = a->out + tile * PI_TILE_TOKENS * a->out_stride + panel * PI_PANEL_ROWS;
    for (size_t g = 0; g < a->n_groups; g++, x += PI_TILE_TOKENS) {
        const PARAM_GROUP *group[2] = {
            (const PARAM_GROUP *)(const void *)w + g,
            (const PARAM_GROUP *)(const void *)(w + (n_panels - 1) * a->panel_stride) + g};
        size_t b = 0;
        if (g == 0 && !a->accumulate) {
            add_block(group, n_panels, b++, x, out, a->out_stride, true);
        }
        for (; b < 4; b++) {
            add_block(group, n_panels, b, x, out, a->out_stride, false);
        }
    }
}

void PARAM_KERNEL(const struct pi_gemm_args *a) {
    for (size_t tile = 0; tile < a->n_tiles; tile++) {
        size_t panel = 0;
        for (; panel + 2 <= a->n_panels; panel += 2) {
            run(a, tile, panel, 2);
        }
        if (panel < a->n_panels) {
            run(a, tile, panel, 1);
        }
    }
}

#include "kernels/undef_params.h"
