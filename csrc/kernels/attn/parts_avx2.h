/* Attention on 256-bit registers: what does not depend on the format of the cache. Queries that see
 * the same tokens of a tile go in parts of up to six. */
#ifndef PYINFER_KERNELS_ATTN_PARTS_AVX2_H
#define PYINFER_KERNELS_ATTN_PARTS_AVX2_H

#include "kernels/util/x86_math256.h"
#include "pyinfer/kernel_types.h"

#define MAX_PART 6

/* Maxima, exponentials and sums of n queries from their scores; p[query][token] and the factors by
 * which their outputs shrink. */
PI_INLINE void pi_weigh_part(const struct pi_attn_args *a, size_t query, size_t n, size_t n_visible,
                             __m256 (*score)[2], float (*p)[PI_KV_TILE_TOKENS], float *rescale) {
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    const __m256i count = _mm256_set1_epi32((int32_t)n_visible);
    const __m256 visible[2] = {
        _mm256_castsi256_ps(_mm256_cmpgt_epi32(count, lane)),
        _mm256_castsi256_ps(
            _mm256_cmpgt_epi32(count, _mm256_add_epi32(lane, _mm256_set1_epi32(8)))),
    };
    for (size_t i = 0; i < n; i++) {
        /* A hidden score becomes the old maximum, which changes nothing; a NaN loses against it
         * as in the scalar comparison. */
        const float old = a->m[query + i];
        const __m256 old_f32x8 = _mm256_set1_ps(old);
        __m256 largest =
            _mm256_max_ps(_mm256_blendv_ps(old_f32x8, score[i][0], visible[0]), old_f32x8);
        largest = _mm256_max_ps(_mm256_blendv_ps(old_f32x8, score[i][1], visible[1]), largest);
        __m128 m = _mm_max_ps(_mm256_castps256_ps128(largest), _mm256_extractf128_ps(largest, 1));
        m = _mm_max_ps(m, _mm_movehl_ps(m, m));
        const float max = _mm_cvtss_f32(_mm_max_ss(m, _mm_movehdup_ps(m)));
        rescale[i] = pi_expf(old - max);
        float *l = a->l + (query + i) * PI_KV_TILE_TOKENS;
        for (size_t half = 0; half < 2; half++) {
            const __m256 e = _mm256_and_ps(
                pi_exp256(_mm256_sub_ps(score[i][half], _mm256_set1_ps(max))), visible[half]);
            _mm256_store_ps(p[i] + 8 * half, e);
            const __m256 kept =
                _mm256_mul_ps(_mm256_loadu_ps(l + 8 * half), _mm256_set1_ps(rescale[i]));
            _mm256_storeu_ps(l + 8 * half, _mm256_add_ps(kept, e));
        }
        a->m[query + i] = max;
    }
}

/* Sums of 16 values of o for n queries: loaded and rescaled, a token added, stored. */
PI_INLINE void pi_load_sums(const float *o, size_t o_stride, size_t n, const float *rescale,
                            __m256 (*sum)[2]) {
    for (size_t i = 0; i < n; i++) {
        const __m256 factor = _mm256_set1_ps(rescale[i]);
        sum[i][0] = _mm256_mul_ps(_mm256_loadu_ps(o + i * o_stride), factor);
        sum[i][1] = _mm256_mul_ps(_mm256_loadu_ps(o + i * o_stride + 8), factor);
    }
}
PI_INLINE void pi_add_token(const float (*p)[PI_KV_TILE_TOKENS], size_t t, size_t n, __m256 v_low,
                            __m256 v_high, __m256 (*sum)[2]) {
    for (size_t i = 0; i < n; i++) {
        const __m256 weight = _mm256_broadcast_ss(&p[i][t]);
        sum[i][0] = _mm256_fmadd_ps(weight, v_low, sum[i][0]);
        sum[i][1] = _mm256_fmadd_ps(weight, v_high, sum[i][1]);
    }
}
PI_INLINE void pi_store_sums(float *o, size_t o_stride, size_t n, __m256 (*sum)[2]) {
    for (size_t i = 0; i < n; i++) {
        _mm256_storeu_ps(o + i * o_stride, sum[i][0]);
        _mm256_storeu_ps(o + i * o_stride + 8, sum[i][1]);
    }
}

#include "kernels/attn/parts.h"

#endif
