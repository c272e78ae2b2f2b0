/* Template: AVX2 GEMM of a float format. A group of a panel is expanded to f32 once (8 KiB, in L1)
 * and all tokens pass over it; the register tile is a whole panel x 4 tokens, eight independent fma
 * chains. Parameters: the AVX2 ones of a float format (README.md). */
#include "pyinfer/kernel_types.h"
#include <immintrin.h>

#ifndef PARAM_KERNEL
#error "gemm/float_avx2.inc.h needs PARAM_KERNEL"
#endif
#ifndef PARAM_GROUP
#error "gemm/float_avx2.inc.h needs PARAM_GROUP"
#endif
#ifndef PARAM_LINE_INPUTS
#error "gemm/float_avx2.inc.h needs PARAM_LINE_INPUTS"
#endif
#ifndef PARAM_LOAD_LINE
#error "gemm/float_avx2.inc.h needs PARAM_LOAD_LINE"
#endif
#ifndef PARAM_SORT_ROWS
#error "gemm/float_avx2.inc.h needs PARAM_SORT_ROWS"
#endif

pi_gemm_fn PARAM_KERNEL;

#define PART 4 /* tokens of a register tile */

typedef float line_f32[PI_PANEL_ROWS];

/* The weights of a group as lines of f32, in `buffer` or, where they are f32 already, in place. */
PI_INLINE const line_f32 *expand(const PARAM_GROUP *group, line_f32 *buffer) {
    if (PARAM_LINE_INPUTS == 1) {
        return (const line_f32 *)(const void *)group;
    }
    for (size_t i = 0; i < PI_GROUP_INPUTS; i += PARAM_LINE_INPUTS) {
        __m256 w[PARAM_LINE_INPUTS][2];
        PARAM_LOAD_LINE(group, i, w);
        for (size_t k = 0; k < PARAM_LINE_INPUTS; k++) {
            PARAM_SORT_ROWS(w[k]);
            _mm256_store_ps(buffer[i + k], w[k][0]);
            _mm256_store_ps(buffer[i + k] + 8, w[k][1]);
        }
    }
    return (const line_f32 *)buffer;
}

PI_INLINE void add_part(const line_f32 *w, const float *x, size_t x_stride, float *out,
                        size_t out_stride, bool from_zero) {
    __m256 f[PART][2];
    for (size_t t = 0; t < PART; t++) {
        const float *row = out + t * out_stride;
        f[t][0] = from_zero ? _mm256_setzero_ps() : _mm256_loadu_ps(row);
        f[t][1] = from_zero ? _mm256_setzero_ps() : _mm256_loadu_ps(row + 8);
    }
    for (size_t i = 0; i < PI_GROUP_INPUTS; i++) {
        const __m256 line[2] = {_mm256_load_ps(w[i]), _mm256_load_ps(w[i] + 8)};
        for (size_t t = 0; t < PART; t++) {
            const __m256 value = _mm256_broadcast_ss(x + t * x_stride + i);
            f[t][0] = _mm256_fmadd_ps(line[0], value, f[t][0]);
            f[t][1] = _mm256_fmadd_ps(line[1], value, f[t][1]);
        }
    }
    for (size_t t = 0; t < PART; t++) {
        _mm256_storeu_ps(out + t * out_stride, f[t][0]);
        _mm256_storeu_ps(out + t * out_stride + 8, f[t][1]);
    }
}

void PARAM_KERNEL(const struct pi_gemm_args *a) {
    line_f32 buffer[PI_GROUP_INPUTS] PI_ALIGNED(64);
    for (size_t p = 0; p < a->n_panels; p++) {
        const PARAM_GROUP *panel = (const PARAM_GROUP *)(const void *)(a->w + p * a->panel_stride);
        for (size_t g = 0; g < a->n_groups; g++) {
            const line_f32 *w = expand(panel + g, buffer);
            const float *x = (const float *)a->x + g * PI_GROUP_INPUTS;
            float *out = a->out + p * PI_PANEL_ROWS;
            for (size_t t = 0; t < a->n_tiles * PI_TILE_TOKENS; t += PART) {
                add_part(w, x + t * a->x_stride, a->x_stride, out + t * a->out_stride,
                         a->out_stride, g == 0 && !a->accumulate);
            }
        }
    }
}

#undef PART

#include "kernels/undef_params.h"
