/* Part of templates: 128 inputs of one panel, expanded to bytes and f32 scales, times a8 records with
 * maddubs.
 *
 * maddubs adds two products per int16: with codes up to their largest and activations up to 127 in
 * magnitude, PARAM_STEPS of them stay below 32,768, then they are widened. */
#include "kernels/util/x86_broadcast256.h"
#include "kernels/util/prefetch.h"
#include "pyinfer/kernel_types.h"
#include <string.h>

#ifndef PARAM_GROUP
#error "dot/scaled_avx2.inc.h needs PARAM_GROUP"
#endif
#ifndef PARAM_SPAN
#error "dot/scaled_avx2.inc.h needs PARAM_SPAN"
#endif
#ifndef PARAM_PART_INPUTS
#error "dot/scaled_avx2.inc.h needs PARAM_PART_INPUTS"
#endif
#ifndef PARAM_BIAS
#error "dot/scaled_avx2.inc.h needs PARAM_BIAS"
#endif
#ifndef PARAM_HAS_MIN
#error "dot/scaled_avx2.inc.h needs PARAM_HAS_MIN"
#endif
#ifndef PARAM_STEPS
#error "dot/scaled_avx2.inc.h needs PARAM_STEPS"
#endif
#ifndef PARAM_CODES
#error "dot/scaled_avx2.inc.h needs PARAM_CODES"
#endif
#ifndef PARAM_PART_SCALE
#error "dot/scaled_avx2.inc.h needs PARAM_PART_SCALE"
#endif
#if !PARAM_HAS_MIN
#define PARAM_PART_MIN(group, h, part, half) _mm256_setzero_ps() /* not added */
#endif
#ifndef PARAM_PART_MIN
#error "dot/scaled_avx2.inc.h needs PARAM_PART_MIN"
#endif

#define PARTS (PI_BLOCK_INPUTS / PARAM_PART_INPUTS) /* of a block, with a scale each */
#define N_PARTS (4 * PARTS)
#define PART_CHUNKS (PI_CHUNKS / PARTS)

struct expanded {
    pi_line code[4][PI_CHUNKS];
    float scale[N_PARTS][PI_PANEL_ROWS];
    float min[N_PARTS][PI_PANEL_ROWS];
};

/* Inputs [128 h, 128 h + 128) of a packed group. */
PI_INLINE void expand(const PARAM_GROUP *group, const size_t h, struct expanded *to) {
    for (size_t half = 0; half < 2; half++) {
        for (size_t b = 0; b < 4; b++) {
            __m256i code[PI_CHUNKS];
            PARAM_CODES(group, 4 * h + b, half, code);
            for (size_t j = 0; j < PI_CHUNKS; j++) {
                pi_store_half(to->code[b][j], half, code[j]);
            }
        }
        for (size_t p = 0; p < N_PARTS; p++) {
            _mm256_store_ps(to->scale[p] + 8 * half, PARAM_PART_SCALE(group, h, p, half));
            if (PARAM_HAS_MIN) {
                _mm256_store_ps(to->min[p] + 8 * half, PARAM_PART_MIN(group, h, p, half));
            }
        }
    }
}

static void expand_group(const PARAM_GROUP *group, size_t h, struct expanded *to) {
    if (h == 0) {
        expand(group, 0, to);
    } else {
        expand(group, 1, to);
    }
}

/* Exact dots of one part, 16 rows x n_tokens. */
PI_INLINE void part_dot(const struct expanded *w, size_t b, size_t part,
                        const struct pi_a8_group *x, const size_t n_tokens, __m256i (*isum)[2]) {
    for (size_t t = 0; t < n_tokens; t++) {
        isum[t][0] = isum[t][1] = _mm256_setzero_si256();
    }
    for (size_t j = part * PART_CHUNKS; j < (part + 1) * PART_CHUNKS; j += PARAM_STEPS) {
        __m256i sum_i16x16[4][2];
        for (size_t t = 0; t < n_tokens; t++) {
            sum_i16x16[t][0] = sum_i16x16[t][1] = _mm256_setzero_si256();
        }
        PI_UNROLL(2)
        for (size_t k = j; k < j + PARAM_STEPS; k++) {
            const __m256i code[2] = {pi_load_half(w->code[b][k], 0),
                                     pi_load_half(w->code[b][k], 1)};
            for (size_t t = 0; t < n_tokens; t++) {
                const __m256i q = pi_broadcast4_256(x[t].q + PI_BLOCK_INPUTS * b + 4 * k);
                for (size_t half = 0; half < 2; half++) {
                    sum_i16x16[t][half] =
                        _mm256_add_epi16(sum_i16x16[t][half], _mm256_maddubs_epi16(code[half], q));
                }
            }
        }
        for (size_t t = 0; t < n_tokens; t++) {
            for (size_t half = 0; half < 2; half++) {
                const __m256i wide = _mm256_madd_epi16(sum_i16x16[t][half], _mm256_set1_epi16(1));
                isum[t][half] = _mm256_add_epi32(isum[t][half], wide);
            }
        }
    }
}

/* Sum of the activations of a part. */
PI_INLINE int32_t part_sum(const struct pi_a8_group *x, size_t b, size_t part) {
    const __m128i *q = (const __m128i *)(const void *)(x->q + PI_BLOCK_INPUTS * b);
    const __m128i pairs = _mm_maddubs_epi16(_mm_set1_epi8(1), _mm_load_si128(q + part));
    __m128i sum = _mm_madd_epi16(pairs, _mm_set1_epi16(1));
    sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0x4e));
    sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0xb1));
    return _mm_cvtsi128_si32(sum);
}

/* f[t * f_stride + row] goes on over the parts of the group, n_tokens at most 4. */
PI_INLINE void tokens_dot(const struct expanded *w, const struct pi_a8_group *x,
                          const size_t n_tokens, float *f, size_t f_stride) {
    PI_KEEP_LOOP
    for (size_t p = 0; p < N_PARTS; p++) {
        const size_t b = p / PARTS;
        __m256i isum[4][2];
        part_dot(w, b, p % PARTS, x, n_tokens, isum);
        for (size_t t = 0; t < n_tokens; t++) {
            const int32_t sum = PARTS == 2 ? part_sum(&x[t], b, p % 2) : 0;
            const float scaled_sum = PARTS == 2 ? x[t].scale[b] * (float)sum : x[t].scaled_sum[b];
            for (size_t half = 0; half < 2; half++) {
                float *at = f + t * f_stride + 8 * half;
                const __m256i dot =
                    _mm256_add_epi32(isum[t][half], _mm256_set1_epi32(-PARAM_BIAS * sum));
                const __m256 product = _mm256_mul_ps(_mm256_load_ps(w->scale[p] + 8 * half),
                                                     _mm256_broadcast_ss(&x[t].scale[b]));
                __m256 v = _mm256_fmadd_ps(_mm256_cvtepi32_ps(dot), product, _mm256_loadu_ps(at));
                if (PARAM_HAS_MIN) {
                    v = _mm256_fmadd_ps(_mm256_load_ps(w->min[p] + 8 * half),
                                        _mm256_set1_ps(scaled_sum), v);
                }
                _mm256_storeu_ps(at, v);
            }
        }
    }
}

static void group_dot(const struct expanded *w, const struct pi_a8_group *x, size_t n_tokens,
                      float *f, size_t f_stride) {
    for (; n_tokens >= 4; n_tokens -= 4, x += 4, f += 4 * f_stride) {
        tokens_dot(w, x, 4, f, f_stride);
    }
    switch (n_tokens) {
    case 3: tokens_dot(w, x, 3, f, f_stride); break;
    case 2: tokens_dot(w, x, 2, f, f_stride); break;
    case 1: tokens_dot(w, x, 1, f, f_stride); break;
    default: break;
    }
}

#undef PARTS
#undef N_PARTS
#undef PART_CHUNKS
