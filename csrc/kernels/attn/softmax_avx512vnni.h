/* Online softmax of one tile (16 cached tokens) on 512-bit registers, in the two shapes that the
 * kernels use: a register holds the 16 tokens of one query, or 16 queries of one token. Both do the
 * steps of kv_scalar.inc.h.
 *
 * While no score exceeds the running maximum the factor exp(old - new) is exactly 1 and nothing is
 * rescaled; a maximum that is not finite takes the long way, so that NaN spreads as in scalar. */
#ifndef PYINFER_KERNELS_ATTN_SOFTMAX_AVX512VNNI_H
#define PYINFER_KERNELS_ATTN_SOFTMAX_AVX512VNNI_H

#include "kernels/util/x86_math512.h"
#include "pyinfer/kernel_types.h"

#define TILE PI_KV_TILE_TOKENS
#define LANES 16
#define BLOCK_TILES (PI_KV_BLOCK_TOKENS / TILE)
#define VALUE_LINES 4 /* registers of one row of o at a time */

/* Over the parts of o that are held in registers: query j, line c. */
#define FOR_EACH_SUM(n, n_lines)                                                                   \
    for (size_t j = 0; j < (n); j++)                                                               \
        for (size_t c = 0; c < (n_lines); c++)

/* Tokens of the tile from `first` on that a query with this limit sees. */
PI_INLINE size_t pi_visible(const struct pi_attn_args *a, size_t query, size_t first) {
    const size_t last = pi_min_size((size_t)a->limit[query], a->last);
    return last > first ? pi_min_size(last - first, TILE) : 0;
}

/* Turns the scores p[16] of one query into exp(score - maximum), 0 for hidden tokens, and adds them
 * to l; returns the factor for what was summed before. */
PI_INLINE float pi_weigh_tokens(float *p, size_t n_visible, float *m, float *l) {
    const __mmask16 lanes = pi_first_lanes(n_visible);
    const __m512 score = _mm512_loadu_ps(p);
    const float before = *m;
    __m512 sum = _mm512_loadu_ps(l);
    float max = before;
    float rescale = 1.0f;
    if (_mm512_mask_cmp_ps_mask(lanes, score, _mm512_set1_ps(before), _CMP_GT_OQ) != 0 ||
        !(before - before == 0.0f)) {
        /* A NaN score may hide from the maximum; it surfaces through its own exp. */
        max = _mm512_mask_reduce_max_ps(lanes, score);
        max = max > before ? max : before;
        rescale = pi_expf(before - max);
        sum = _mm512_mul_ps(sum, _mm512_set1_ps(rescale));
        *m = max;
    }
    const __m512 weight =
        _mm512_maskz_mov_ps(lanes, pi_exp512(_mm512_sub_ps(score, _mm512_set1_ps(max))));
    _mm512_storeu_ps(p, weight);
    _mm512_storeu_ps(l, _mm512_mask_add_ps(sum, lanes, sum, weight));
    return rescale;
}

/* The same for 16 queries: p[token][stride], l[token][stride]. `limit` holds the visible tokens of
 * the tile per query, NULL if all see all. Returns whether anything has to be rescaled. */
PI_INLINE bool pi_weigh_queries(float *p, float *l, size_t stride, const int32_t *limit, float *m,
                                float *rescale) {
    const __m512 before = _mm512_loadu_ps(m);
    const __m512i visible = limit == NULL ? _mm512_set1_epi32(TILE) : _mm512_loadu_si512(limit);
    __m512 max = before;
    for (size_t t = 0; t < TILE; t++) {
        const __mmask16 lanes = _mm512_cmpgt_epi32_mask(visible, _mm512_set1_epi32((int32_t)t));
        max = _mm512_mask_max_ps(max, lanes, _mm512_loadu_ps(p + t * stride), max);
    }
    const __m512 shrink = _mm512_sub_ps(before, max);
    const bool grows = _mm512_cmp_ps_mask(shrink, _mm512_setzero_ps(), _CMP_NEQ_UQ) != 0;
    __m512 factor = _mm512_set1_ps(1.0f);
    if (grows) {
        /* No token seen yet: minus infinity on both sides, and nothing to rescale. */
        const __mmask16 sees = _mm512_cmpgt_epi32_mask(visible, _mm512_setzero_si512());
        factor = _mm512_mask_mov_ps(factor, sees, pi_exp512(shrink));
        _mm512_storeu_ps(m, max);
    }
    _mm512_storeu_ps(rescale, factor);
    for (size_t t = 0; t < TILE; t++) {
        const __mmask16 lanes = _mm512_cmpgt_epi32_mask(visible, _mm512_set1_epi32((int32_t)t));
        const __m512 score = _mm512_loadu_ps(p + t * stride);
        const __m512 weight = _mm512_maskz_mov_ps(lanes, pi_exp512(_mm512_sub_ps(score, max)));
        _mm512_storeu_ps(p + t * stride, weight);
        __m512 sum = _mm512_loadu_ps(l + t * stride);
        sum = grows ? _mm512_mul_ps(sum, factor) : sum;
        _mm512_storeu_ps(l + t * stride, _mm512_mask_add_ps(sum, lanes, sum, weight));
    }
    return grows;
}

#endif
