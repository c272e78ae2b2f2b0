/* Template: attention over a paged cache on 128-bit registers; the steps of kv_scalar.inc.h.
 *
 *
 * Tiles run in the outer loop, so K and V of a tile are read from memory once for all queries. A part of
 * four queries has 16 registers of scores (or outputs) beside four of K (or V). The sign of a maximum
 * that is zero may differ from scalar. */
#include "kernels/attn/parts_neon.h"

#ifndef PARAM_KERNEL
#error "attn/kv_neon.inc.h needs PARAM_KERNEL"
#endif
#ifndef PARAM_ELEMENT
#error "attn/kv_neon.inc.h needs PARAM_ELEMENT"
#endif
#ifndef PARAM_LOAD
#error "attn/kv_neon.inc.h needs PARAM_LOAD"
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
    float32x4_t score[MAX_PART][QUADS];
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < QUADS; k++) {
            score[i][k] = vdupq_n_f32(0.0f);
        }
    }
    const float *q = a->q + query * a->q_stride;
    size_t d = 0;
    for (; d + 4 <= a->head_dim; d += 4) {
        float32x4_t q_f32x4[MAX_PART];
        for (size_t i = 0; i < n; i++) {
            q_f32x4[i] = vld1q_f32(q + i * a->q_stride + d);
        }
        PI_UNROLL(4)
        for (size_t lane = 0; lane < 4; lane++) {
            float32x4_t keys[QUADS];
            PARAM_LOAD(tile->k + (d + lane) * PI_KV_TILE_TOKENS, keys);
            for (size_t i = 0; i < n; i++) {
                for (size_t k = 0; k < QUADS; k++) {
                    score[i][k] = pi_fma_lane(score[i][k], keys[k], q_f32x4[i], lane);
                }
            }
        }
    }
    for (; d < a->head_dim; d++) {
        float32x4_t keys[QUADS];
        PARAM_LOAD(tile->k + d * PI_KV_TILE_TOKENS, keys);
        for (size_t i = 0; i < n; i++) {
            for (size_t k = 0; k < QUADS; k++) {
                score[i][k] = vfmaq_n_f32(score[i][k], keys[k], q[i * a->q_stride + d]);
            }
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
        float32x4_t sum[MAX_PART][QUADS];
        pi_load_sums(o + d, a->v_stride, n, rescale, sum);
        for (size_t t = 0; t < tile->n_visible; t++) {
            float32x4_t values[QUADS];
            PARAM_LOAD(tile->v + t * a->v_stride + d, values);
            pi_add_token(p, t, n, values, sum);
        }
        pi_store_sums(o + d, a->v_stride, n, sum);
    }
}

PI_INLINE void add_part(const struct pi_attn_args *a, size_t query, const size_t n,
                        const struct tile *tile) {
    float p[MAX_PART][PI_KV_TILE_TOKENS];
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
