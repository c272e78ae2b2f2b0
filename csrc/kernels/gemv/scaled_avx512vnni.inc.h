/* Template: GEMV with vpdpbusd of a format whose parts have minimums, or whose scales belong to 16
 * inputs; 16 rows per register.
 * Parameters: the AVX-512 ones of a format with scaled parts (README.md).
 *
 * As in quant_avx512vnni.inc.h the streams of a call are walked in lockstep and weights are unpacked
 * once for all tokens. Sums over 16 activations are no part of a record; they are computed once per
 * group for all streams. */
#include "kernels/util/prefetch.h"
#include "pyinfer/kernel_types.h"

#ifndef PARAM_KERNEL
#error "gemv/scaled_avx512vnni.inc.h needs PARAM_KERNEL"
#endif
#ifndef PARAM_GROUP
#error "gemv/scaled_avx512vnni.inc.h needs PARAM_GROUP"
#endif
#ifndef PARAM_SPAN
#error "gemv/scaled_avx512vnni.inc.h needs PARAM_SPAN"
#endif
#ifndef PARAM_PART_INPUTS
#error "gemv/scaled_avx512vnni.inc.h needs PARAM_PART_INPUTS"
#endif
#ifndef PARAM_BIAS
#error "gemv/scaled_avx512vnni.inc.h needs PARAM_BIAS"
#endif
#ifndef PARAM_HAS_MIN
#error "gemv/scaled_avx512vnni.inc.h needs PARAM_HAS_MIN"
#endif
#ifndef PARAM_SCALES
#error "gemv/scaled_avx512vnni.inc.h needs PARAM_SCALES"
#endif
#ifndef PARAM_LOAD_SCALES
#error "gemv/scaled_avx512vnni.inc.h needs PARAM_LOAD_SCALES"
#endif
#ifndef PARAM_PART_SCALE
#error "gemv/scaled_avx512vnni.inc.h needs PARAM_PART_SCALE"
#endif
#ifndef PARAM_CODES
#error "gemv/scaled_avx512vnni.inc.h needs PARAM_CODES"
#endif
#if !PARAM_HAS_MIN
#define PARAM_PART_MIN(scales, part) _mm512_setzero_ps() /* not added */
#endif
#ifndef PARAM_PART_MIN
#error "gemv/scaled_avx512vnni.inc.h needs PARAM_PART_MIN"
#endif

#define PARTS (PI_BLOCK_INPUTS / PARAM_PART_INPUTS) /* of a block, with a scale each */

pi_gemv_fn PARAM_KERNEL;

/* Per token and part of 16 inputs of a group: the start of the integer sum, or the scaled sum. */
union part_sums {
    int32_t start[8];
    float scaled[8];
};

PI_INLINE void sum_parts(const struct pi_a8_group *x, union part_sums *sums) {
    if (PARTS == 1) {
        return;
    }
    int32_t sum[8];
    pi_sums16_512(x->q, PARAM_HAS_MIN ? 1 : -PARAM_BIAS, sum);
    for (size_t p = 0; p < 8; p++) {
        if (PARAM_HAS_MIN) {
            sums->scaled[p] = x->scale[p / 2] * (float)sum[p];
        } else {
            sums->start[p] = sum[p];
        }
    }
}

PI_INLINE void add_block(const __m512i *code, const PARAM_SCALES *scales, size_t b,
                         const struct pi_a8_group *x, const union part_sums *sums, size_t n_tokens,
                         __m512 *f_f32x16) {
    for (size_t part = 0; part < PARTS; part++) {
        const size_t p = PARTS * b + part;
        const __m512 scale_f32x16 = PARAM_PART_SCALE(scales, p);
        __m512i isum_i32x16[PI_TILE_TOKENS];
        for (size_t t = 0; t < n_tokens; t++) {
            isum_i32x16[t] =
                PARAM_BIAS ? _mm512_set1_epi32(sums[t].start[p]) : _mm512_setzero_si512();
        }
        for (size_t j = part * 8 / PARTS; j < (part + 1) * 8 / PARTS; j++) {
            for (size_t t = 0; t < n_tokens; t++) {
                isum_i32x16[t] = _mm512_dpbusd_epi32(
                    isum_i32x16[t], code[j], pi_broadcast4(x[t].q + PI_BLOCK_INPUTS * b + 4 * j));
            }
        }
        for (size_t t = 0; t < n_tokens; t++) {
            f_f32x16[t] = pi_scale_step(isum_i32x16[t], scale_f32x16, x[t].scale[b], f_f32x16[t]);
        }
        if (PARAM_HAS_MIN) {
            const __m512 min_f32x16 = PARAM_PART_MIN(scales, p);
            for (size_t t = 0; t < n_tokens; t++) {
                const float sum = PARTS == 1 ? x[t].scaled_sum[b] : sums[t].scaled[p];
                f_f32x16[t] = _mm512_fmadd_ps(min_f32x16, _mm512_set1_ps(sum), f_f32x16[t]);
            }
        }
    }
}

PI_INLINE void add_group(const struct pi_gemv_args *a, const PARAM_GROUP *group, size_t half,
                         const struct pi_a8_group *x, const union part_sums *sums, size_t n_tokens,
                         __m512 *f_f32x16) {
    const PARAM_SCALES scales = PARAM_LOAD_SCALES(group, half);
    PI_UNROLL(4)
    for (size_t b = 0; b < 4; b++) {
        pi_prefetch_part(group, sizeof *group, 4 * half + b, 4 * PARAM_SPAN, a->prefetch_near,
                         a->prefetch_far);
        __m512i code_u8x64[PI_CHUNKS];
        PARAM_CODES(group, 4 * half + b, code_u8x64);
        add_block(code_u8x64, &scales, b, x, sums, n_tokens, f_f32x16);
    }
}

PI_INLINE void run(const struct pi_gemv_args *a, size_t n_streams, size_t n_tokens) {
    const size_t n_groups = a->n_groups / PARAM_SPAN;
    for (size_t p = 0; p < a->n_panels; p++) {
        __m512 f_f32x16[PI_MAX_STREAMS][PI_TILE_TOKENS];
        for (size_t s = 0; s < n_streams; s++) {
            for (size_t t = 0; t < n_tokens; t++) {
                f_f32x16[s][t] = _mm512_setzero_ps();
            }
        }
        const struct pi_a8_group *x = a->x;
        for (size_t g = 0; g < n_groups; g++) {
            for (size_t half = 0; half < PARAM_SPAN; half++, x += n_tokens) {
                union part_sums sums[PI_TILE_TOKENS];
                for (size_t t = 0; t < n_tokens; t++) {
                    sum_parts(&x[t], &sums[t]);
                }
                for (size_t s = 0; s < n_streams; s++) {
                    const PARAM_GROUP *group =
                        (const PARAM_GROUP *)(const void *)a->w[s] + p * n_groups + g;
                    add_group(a, group, half, x, sums, n_tokens, f_f32x16[s]);
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

#undef PARTS
#include "kernels/undef_params.h"
