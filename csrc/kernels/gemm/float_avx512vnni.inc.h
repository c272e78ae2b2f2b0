/* Template: float GEMM, a register tile of 3 panels (48 rows) x 8 tokens. The 24 independent fma chains
 * cover latency x ports, and each broadcast, which takes slots of the vector registers, feeds three.
 * Parameters: the AVX-512 ones of a float format (README.md). */
#include "pyinfer/kernel_types.h"
#include <immintrin.h>

#ifndef PARAM_KERNEL
#error "gemm/float_avx512vnni.inc.h needs PARAM_KERNEL"
#endif
#ifndef PARAM_GROUP
#error "gemm/float_avx512vnni.inc.h needs PARAM_GROUP"
#endif
#ifndef PARAM_LINE_INPUTS
#error "gemm/float_avx512vnni.inc.h needs PARAM_LINE_INPUTS"
#endif
#ifndef PARAM_LOAD_INPUT
#error "gemm/float_avx512vnni.inc.h needs PARAM_LOAD_INPUT"
#endif

pi_gemm_fn PARAM_KERNEL;

#define PANELS 3

PI_INLINE void run(const struct pi_gemm_args *a, size_t tile, size_t panel, size_t n_panels) {
    const float *x = (const float *)a->x + tile * PI_TILE_TOKENS * a->x_stride;
    const uint8_t *w = a->w + panel * a->panel_stride;
    float *out = a->out + tile * PI_TILE_TOKENS * a->out_stride + panel * PI_PANEL_ROWS;
    __m512 f_f32x16[PANELS][PI_TILE_TOKENS];
    for (size_t p = 0; p < n_panels; p++) {
        for (size_t t = 0; t < PI_TILE_TOKENS; t++) {
            f_f32x16[p][t] = a->accumulate
                                 ? _mm512_loadu_ps(out + t * a->out_stride + p * PI_PANEL_ROWS)
                                 : _mm512_setzero_ps();
        }
    }
    for (size_t g = 0; g < a->n_groups; g++, x += PI_GROUP_INPUTS, w += sizeof(PARAM_GROUP)) {
        for (size_t line = 0; line < PI_GROUP_INPUTS / PARAM_LINE_INPUTS; line++) {
            for (size_t i = 0; i < PARAM_LINE_INPUTS; i++) {
                const uint8_t *first = w;
                /* Lines are loaded again for each input: held over both, they would push sums out of
                 * the registers. */
                PI_HIDE(first);
                __m512 w_f32x16[PANELS];
                for (size_t p = 0; p < n_panels; p++) {
                    const void *group = first + p * a->panel_stride;
                    w_f32x16[p] = PARAM_LOAD_INPUT((const PARAM_GROUP *)group, line, i);
                }
                for (size_t t = 0; t < PI_TILE_TOKENS; t++) {
                    const __m512 x_f32x16 =
                        _mm512_set1_ps(x[t * a->x_stride + line * PARAM_LINE_INPUTS + i]);
                    for (size_t p = 0; p < n_panels; p++) {
                        f_f32x16[p][t] = _mm512_fmadd_ps(w_f32x16[p], x_f32x16, f_f32x16[p][t]);
                    }
                }
            }
        }
    }
    for (size_t p = 0; p < n_panels; p++) {
        for (size_t t = 0; t < PI_TILE_TOKENS; t++) {
            _mm512_storeu_ps(out + t * a->out_stride + p * PI_PANEL_ROWS, f_f32x16[p][t]);
        }
    }
}

void PARAM_KERNEL(const struct pi_gemm_args *a) {
    for (size_t tile = 0; tile < a->n_tiles; tile++) {
        size_t panel = 0;
        for (; panel + PANELS <= a->n_panels && panel + 4 != a->n_panels; panel += PANELS) {
            run(a, tile, panel, PANELS);
        }
        for (; panel + 2 <= a->n_panels; panel += 2) { /* four are two pairs */
            run(a, tile, panel, 2);
        }
        if (panel < a->n_panels) {
            run(a, tile, panel, 1);
        }
    }
}

#undef PANELS

#include "kernels/undef_params.h"
