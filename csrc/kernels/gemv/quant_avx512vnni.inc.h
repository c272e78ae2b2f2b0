/* Template: quantized GEMV with vpdpbusd, 16 rows per register.
 * Parameters: the AVX-512 ones of a quantized format (README.md).
 *
 * The streams of a call are walked in lockstep, a group of each in turn: several far-apart streams
 * keep more DRAM pages open and more lines in flight than one. Weights are unpacked once for all
 * tokens. Few tokens leave the multipliers waiting for memory; from PAIR_TOKENS on they bind, and two
 * streams are computed as the two panels of a tile, which halves the loads of activations. */
#include "kernels/dot/quant_avx512vnni.inc.h"
#include "kernels/util/prefetch.h"
#include "pyinfer/kernel_types.h"

#ifndef PARAM_KERNEL
#error "gemv/quant_avx512vnni.inc.h needs PARAM_KERNEL"
#endif

#define PAIR_TOKENS 5

pi_gemv_fn PARAM_KERNEL;

PI_INLINE void add_block(const PARAM_GROUP *const *group, size_t n_panels, size_t b,
                         const struct pi_a8_group *x, size_t n_tokens,
                         __m512 f_f32x16[][PI_TILE_TOKENS]) {
    __m512i isum_i32x16[2][PI_TILE_TOKENS];
    tile_dots(group, n_panels, b, x, n_tokens, isum_i32x16);
    for (size_t p = 0; p < n_panels; p++) {
        const __m512 scale_f32x16 = pi_load_f16_512(group[p]->scale[b]);
        for (size_t t = 0; t < n_tokens; t++) {
            f_f32x16[p][t] =
                pi_scale_step(isum_i32x16[p][t], scale_f32x16, x[t].scale[b], f_f32x16[p][t]);
        }
    }
}

/* A group of `n_panels` streams from `s` on. */
PI_INLINE void add_group(const struct pi_gemv_args *a, size_t s, size_t n_panels, size_t index,
                         const struct pi_a8_group *x, size_t n_tokens,
                         __m512 f_f32x16[][PI_TILE_TOKENS]) {
    const PARAM_GROUP *group[2];
    for (size_t p = 0; p < n_panels; p++) {
        group[p] = (const PARAM_GROUP *)(const void *)a->w[s + p] + index;
    }
    for (size_t b = 0; b < 4; b++) {
        for (size_t p = 0; p < n_panels; p++) {
            pi_prefetch_part(group[p], sizeof *group[p], b, 4, a->prefetch_near, a->prefetch_far);
        }
        add_block(group, n_panels, b, x, n_tokens, f_f32x16 + s);
    }
}

PI_INLINE void run(const struct pi_gemv_args *a, size_t n_streams, size_t n_tokens) {
    const size_t n_groups = a->n_groups;
    const size_t n_panels = n_streams % 2 == 0 && n_tokens >= PAIR_TOKENS ? 2 : 1;
    for (size_t p = 0; p < a->n_panels; p++) {
        __m512 f_f32x16[PI_MAX_STREAMS][PI_TILE_TOKENS];
        for (size_t s = 0; s < n_streams; s++) {
            for (size_t t = 0; t < n_tokens; t++) {
                f_f32x16[s][t] = _mm512_setzero_ps();
            }
        }
        const struct pi_a8_group *x = a->x;
        for (size_t g = 0; g < n_groups; g++, x += n_tokens) {
            for (size_t s = 0; s < n_streams; s += n_panels) {
                add_group(a, s, n_panels, p * n_groups + g, x, n_tokens, f_f32x16);
            }
        }
        for (size_t s = 0; s < n_streams; s++) {
            for (size_t t = 0; t < n_tokens; t++) {
                _mm512_storeu_ps(a->out[s] + t * a->out_stride + p * PI_PANEL_ROWS, f_f32x16[s][t]);
            }
        }
    }
}

#define PARAM_RUN run
#include "kernels/gemv/variants.inc.h"

#undef PAIR_TOKENS
#include "kernels/undef_params.h"
