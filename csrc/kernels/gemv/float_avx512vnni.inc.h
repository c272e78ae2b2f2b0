/* Template: float GEMV, 16 rows per register, one fma chain per row. Parameters: the AVX-512 ones of a
 * float format (README.md).
 *
 * The chain of one panel and token is bound by the fma latency (4 cycles per input, 8 to 16 bytes
 * per cycle); the streams of a call are independent chains and hide it. */
#include "kernels/util/prefetch.h"
#include "pyinfer/kernel_types.h"
#include <immintrin.h>

#ifndef PARAM_KERNEL
#error "gemv/float_avx512vnni.inc.h needs PARAM_KERNEL"
#endif
#ifndef PARAM_GROUP
#error "gemv/float_avx512vnni.inc.h needs PARAM_GROUP"
#endif
#ifndef PARAM_LINE_INPUTS
#error "gemv/float_avx512vnni.inc.h needs PARAM_LINE_INPUTS"
#endif
#ifndef PARAM_LOAD_INPUT
#error "gemv/float_avx512vnni.inc.h needs PARAM_LOAD_INPUT"
#endif

pi_gemv_fn PARAM_KERNEL;

#define LINES (PI_GROUP_INPUTS / PARAM_LINE_INPUTS)
#define LINES_PER_STEP 8

PI_INLINE void run(const struct pi_gemv_args *a, size_t n_streams, size_t n_tokens) {
    const float *x = a->x;
    for (size_t p = 0; p < a->n_panels; p++) {
        __m512 f_f32x16[PI_MAX_STREAMS][PI_TILE_TOKENS];
        for (size_t s = 0; s < n_streams; s++) {
            for (size_t t = 0; t < n_tokens; t++) {
                f_f32x16[s][t] = _mm512_setzero_ps();
            }
        }
        for (size_t g = 0; g < a->n_groups; g++) {
            for (size_t step = 0; step < LINES; step += LINES_PER_STEP) {
                for (size_t s = 0; s < n_streams; s++) {
                    const PARAM_GROUP *group =
                        (const PARAM_GROUP *)(const void *)a->w[s] + p * a->n_groups + g;
                    pi_prefetch_stream((const char *)group + step * PI_LINE_BYTES,
                                       LINES_PER_STEP * PI_LINE_BYTES, a->prefetch_near,
                                       a->prefetch_far);
                }
                for (size_t line = step; line < step + LINES_PER_STEP; line++) {
                    for (size_t i = 0; i < PARAM_LINE_INPUTS; i++) {
                        const float *input = x + g * PI_GROUP_INPUTS + line * PARAM_LINE_INPUTS + i;
                        for (size_t s = 0; s < n_streams; s++) {
                            const PARAM_GROUP *group =
                                (const PARAM_GROUP *)(const void *)a->w[s] + p * a->n_groups + g;
                            const __m512 w_f32x16 = PARAM_LOAD_INPUT(group, line, i);
                            for (size_t t = 0; t < n_tokens; t++) {
                                f_f32x16[s][t] = _mm512_fmadd_ps(
                                    w_f32x16, _mm512_set1_ps(input[t * a->x_stride]),
                                    f_f32x16[s][t]);
                            }
                        }
                    }
                }
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

#undef LINES
#undef LINES_PER_STEP
#include "kernels/undef_params.h"
