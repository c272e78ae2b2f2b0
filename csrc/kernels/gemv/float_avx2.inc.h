/* Template: AVX2 GEMV of a float format. The streams advance in lockstep, group by group, with
 * their partial sums in a small array; tokens run in parts of up to 4, which share the expanded
 * weights: with a constant of at most 4, eight sums, up to four weights and one broadcast of 16
 * registers, and eight independent fma chains, which cover a latency of 4 on two ports. Parameters:
 * the AVX2 ones of a float format (README.md). */
#include "kernels/util/prefetch.h"
#include "pyinfer/kernel_types.h"
#include <immintrin.h>

#ifndef PARAM_KERNEL
#error "gemv/float_avx2.inc.h needs PARAM_KERNEL"
#endif
#ifndef PARAM_GROUP
#error "gemv/float_avx2.inc.h needs PARAM_GROUP"
#endif
#ifndef PARAM_LINE_INPUTS
#error "gemv/float_avx2.inc.h needs PARAM_LINE_INPUTS"
#endif
#ifndef PARAM_LOAD_LINE
#error "gemv/float_avx2.inc.h needs PARAM_LOAD_LINE"
#endif
#ifndef PARAM_SORT_ROWS
#error "gemv/float_avx2.inc.h needs PARAM_SORT_ROWS"
#endif

pi_gemv_fn PARAM_KERNEL;

typedef __m256 row_sums[2];

/* One fma chain per row and token, in ascending input order; f[token][half] goes on. */
PI_INLINE void panel_dot(const PARAM_GROUP *group, const float *x, size_t x_stride,
                         const size_t n_tokens, __m256 (*f)[2]) {
    for (size_t i = 0; i < PI_GROUP_INPUTS; i += PARAM_LINE_INPUTS) {
        __m256 w[PARAM_LINE_INPUTS][2];
        PARAM_LOAD_LINE(group, i, w);
        for (size_t k = 0; k < PARAM_LINE_INPUTS; k++) {
            for (size_t t = 0; t < n_tokens; t++) {
                const __m256 value = _mm256_broadcast_ss(x + t * x_stride + i + k);
                f[t][0] = _mm256_fmadd_ps(w[k][0], value, f[t][0]);
                f[t][1] = _mm256_fmadd_ps(w[k][1], value, f[t][1]);
            }
        }
    }
}

PI_INLINE void add_tokens(const PARAM_GROUP *group, const float *x, size_t x_stride,
                          const size_t n_tokens, row_sums *sums) {
    row_sums f[4];
    for (size_t t = 0; t < n_tokens; t++) {
        f[t][0] = sums[t][0];
        f[t][1] = sums[t][1];
    }
    panel_dot(group, x, x_stride, n_tokens, f);
    for (size_t t = 0; t < n_tokens; t++) {
        sums[t][0] = f[t][0];
        sums[t][1] = f[t][1];
    }
}

static void add_group(const PARAM_GROUP *group, const float *x, size_t x_stride, size_t n_tokens,
                      row_sums *sums) {
    for (; n_tokens >= 4; n_tokens -= 4, x += 4 * x_stride, sums += 4) {
        add_tokens(group, x, x_stride, 4, sums);
    }
    switch (n_tokens) {
    case 3: add_tokens(group, x, x_stride, 3, sums); break;
    case 2: add_tokens(group, x, x_stride, 2, sums); break;
    case 1: add_tokens(group, x, x_stride, 1, sums); break;
    default: break;
    }
}

void PARAM_KERNEL(const struct pi_gemv_args *a) {
    const float *x = a->x;
    for (size_t p = 0; p < a->n_panels; p++) {
        row_sums sums[PI_MAX_STREAMS][8];
        for (size_t s = 0; s < a->n_streams; s++) {
            for (size_t t = 0; t < a->n_tokens; t++) {
                sums[s][t][0] = sums[s][t][1] = _mm256_setzero_ps();
            }
        }
        for (size_t g = 0; g < a->n_groups; g++) {
            for (size_t s = 0; s < a->n_streams; s++) {
                const PARAM_GROUP *group =
                    (const PARAM_GROUP *)(const void *)a->w[s] + p * a->n_groups + g;
                pi_prefetch_stream(group, sizeof *group, a->prefetch_near, a->prefetch_far);
                add_group(group, x + g * PI_GROUP_INPUTS, a->x_stride, a->n_tokens, sums[s]);
            }
        }
        for (size_t s = 0; s < a->n_streams; s++) {
            for (size_t t = 0; t < a->n_tokens; t++) {
                float *out = a->out[s] + t * a->out_stride + p * PI_PANEL_ROWS;
                PARAM_SORT_ROWS(sums[s][t]);
                _mm256_storeu_ps(out, sums[s][t][0]);
                _mm256_storeu_ps(out + 8, sums[s][t][1]);
            }
        }
    }
}

#include "kernels/undef_params.h"
