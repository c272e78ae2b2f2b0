/* Template: attention over a paged cache on 256-bit registers; the steps of kv_scalar.inc.h.
 *
 * Tiles run in the outer loop, so K and V of a tile are read from memory once for all queries.
 * Queries that see the same tokens of the tile go in parts of up to 6: their scores are 12 registers
 * (16 tokens each) beside 2 of K and a broadcast, their outputs 12 registers (16 values each) beside
 * 2 of V and a broadcast. The sign of a maximum that is zero may differ from scalar. */
#include "kernels/attn/parts_avx2.h"

#ifndef PARAM_KERNEL
#error "attn/kv_avx2.inc.h needs PARAM_KERNEL"
#endif
#ifndef PARAM_ELEMENT
#error "attn/kv_avx2.inc.h needs PARAM_ELEMENT"
#endif
#ifndef PARAM_LOAD
#error "attn/kv_avx2.inc.h needs PARAM_LOAD"
#endif

pi_attn_fn PARAM_KERNEL;

struct tile {
    const PARAM_ELEMENT *k;
    const PARAM_ELEMENT *v;
    size_t n_visible; /* 1..16 */
};

/* Scores, maxima, exponentials and sums of n queries; p[query][token] and the factors by which
 * their outputs shrink. */
PI_INLINE void weigh(const struct pi_attn_args *a, size_t query, const size_t n,
                     const struct tile *tile, float (*p)[PI_KV_TILE_TOKENS], float *rescale) {
    __m256 score[MAX_PART][2];
    for (size_t i = 0; i < n; i++) {
        score[i][0] = score[i][1] = _mm256_setzero_ps();
    }
    const float *q = a->q + query * a->q_stride;
    for (size_t d = 0; d < a->head_dim; d++) {
        const __m256 k_low = PARAM_LOAD(tile->k + d * PI_KV_TILE_TOKENS);
        const __m256 k_high = PARAM_LOAD(tile->k + d * PI_KV_TILE_TOKENS + 8);
        for (size_t i = 0; i < n; i++) {
            const __m256 q_f32x8 = _mm256_broadcast_ss(q + i * a->q_stride + d);
            score[i][0] = _mm256_fmadd_ps(q_f32x8, k_low, score[i][0]);
            score[i][1] = _mm256_fmadd_ps(q_f32x8, k_high, score[i][1]);
        }
    }
    pi_weigh_part(a, query, n, tile->n_visible, score, p, rescale);
}

/* o = o * rescale + sum over visible tokens of p v. */
PI_INLINE void add_values(const struct pi_attn_args *a, size_t query, const size_t n,
                          const struct tile *tile, const float (*p)[PI_KV_TILE_TOKENS],
                          const float *rescale) {
    float *o = a->o + query * a->v_stride;
    for (size_t d = 0; d < a->v_stride; d += 16) {
        __m256 sum[MAX_PART][2];
        pi_load_sums(o + d, a->v_stride, n, rescale, sum);
        for (size_t t = 0; t < tile->n_visible; t++) {
            const __m256 v_low = PARAM_LOAD(tile->v + t * a->v_stride + d);
            const __m256 v_high = PARAM_LOAD(tile->v + t * a->v_stride + d + 8);
            pi_add_token(p, t, n, v_low, v_high, sum);
        }
        pi_store_sums(o + d, a->v_stride, n, sum);
    }
}

PI_INLINE void add_part(const struct pi_attn_args *a, size_t query, const size_t n,
                        const struct tile *tile) {
    float p[MAX_PART][PI_KV_TILE_TOKENS] PI_ALIGNED(32);
    float rescale[MAX_PART];
    weigh(a, query, n, tile, p, rescale);
    add_values(a, query, n, tile, (const float(*)[PI_KV_TILE_TOKENS])p, rescale);
}

void PARAM_KERNEL(const struct pi_attn_args *a) {
    pi_clear_parts(a);
    size_t query = 0; /* limits ascend: queries before this one see nothing more */
    for (size_t k = a->first; k < a->last; k += PI_KV_TILE_TOKENS) {
        const size_t block = (size_t)a->block_table[k / PI_KV_BLOCK_TOKENS];
        const PARAM_ELEMENT *keys =
            (const PARAM_ELEMENT *)(const void *)(a->kv + block * a->block_stride);
        const size_t slot = k % PI_KV_BLOCK_TOKENS;
        struct tile tile = {
            .k = keys + slot * a->head_dim,
            .v = keys + PI_KV_BLOCK_TOKENS * a->head_dim + slot * a->v_stride,
        };
        EACH_PART(a, query, k, tile, add_part);
    }
}

#include "kernels/undef_params.h"
