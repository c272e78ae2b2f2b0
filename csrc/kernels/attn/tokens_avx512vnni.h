/* Attention of few queries (decode), AVX-512: what does not depend on the format of the cache. A
 * register holds 16 cached tokens of one query; K and V are read once for all queries. */
#ifndef PYINFER_KERNELS_ATTN_TOKENS_AVX512VNNI_H
#define PYINFER_KERNELS_ATTN_TOKENS_AVX512VNNI_H

#include "kernels/attn/softmax_avx512vnni.h"

#define FEW 7 /* queries that share a pass over K and V */

/* One cache block as far as it is visible. */
struct block {
    const uint8_t *at;
    size_t first; /* token */
    size_t count;
    size_t n_tiles;
    ptrdiff_t ahead; /* bytes to the same place of the next block */
};

static inline struct block pi_block_at(const struct pi_attn_args *a, size_t first) {
    const size_t index = first / PI_KV_BLOCK_TOKENS;
    const size_t next = pi_min_size(index + 1, (a->end - 1) / PI_KV_BLOCK_TOKENS);
    const uint8_t *at = a->kv + (size_t)a->block_table[index] * a->block_stride;
    const size_t count = pi_min_size(PI_KV_BLOCK_TOKENS, a->last - first);
    return (struct block){
        .at = at,
        .first = first,
        .count = count,
        .n_tiles = pi_ceil_div(count, TILE),
        .ahead = a->kv + (size_t)a->block_table[next] * a->block_stride - at,
    };
}

/* Whether all n queries see the same tokens of the block; limits ascend. */
static inline bool pi_see_the_same(const struct pi_attn_args *a, const struct block *block,
                                   size_t query, size_t n) {
    return (size_t)a->limit[query] >= block->first + block->count ||
           a->limit[query] == a->limit[query + n - 1];
}

/* Into L2: a block ahead is further than L1 reaches. */
PI_INLINE void pi_prefetch_ahead(const void *at, ptrdiff_t ahead) {
    _mm_prefetch((const char *)at + ahead, _MM_HINT_T1);
}

/* Scores, then weights of the tokens of one block. */
struct weights {
    PI_ALIGNED(64) float p[FEW][PI_KV_BLOCK_TOKENS];
    float rescale[BLOCK_TILES][FEW];
    bool grows[BLOCK_TILES]; /* whether something has to be rescaled */
};

/* The way of almost all blocks: 64 visible tokens of one query, none above its maximum. The
 * exponentials of the tiles do not wait for each other. Returns false and does nothing otherwise. */
PI_INLINE bool pi_weigh_below(float *p, float max, float *l) {
    const __m512 max_f32x16 = _mm512_set1_ps(max);
    __m512 score[BLOCK_TILES];
    __mmask16 above = max - max == 0.0f ? 0 : 1;
    for (size_t tile = 0; tile < BLOCK_TILES; tile++) {
        score[tile] = _mm512_load_ps(p + tile * TILE);
        above |= _mm512_cmp_ps_mask(score[tile], max_f32x16, _CMP_GT_OQ);
    }
    if (above != 0) {
        return false;
    }
    __m512 sum = _mm512_loadu_ps(l);
    for (size_t tile = 0; tile < BLOCK_TILES; tile++) {
        const __m512 weight = pi_exp512(_mm512_sub_ps(score[tile], max_f32x16));
        _mm512_store_ps(p + tile * TILE, weight);
        sum = _mm512_add_ps(sum, weight);
    }
    _mm512_storeu_ps(l, sum);
    return true;
}

static inline void pi_weigh_block(const struct pi_attn_args *a, const struct block *block,
                                  size_t query, size_t n, struct weights *w) {
    for (size_t tile = 0; tile < BLOCK_TILES; tile++) {
        w->grows[tile] = false;
    }
    for (size_t i = 0; i < n; i++) {
        float *l = a->l + (query + i) * TILE;
        const bool whole = block->count == PI_KV_BLOCK_TOKENS &&
                           (size_t)a->limit[query + i] >= block->first + PI_KV_BLOCK_TOKENS;
        if (whole && pi_weigh_below(w->p[i], a->m[query + i], l)) {
            for (size_t tile = 0; tile < BLOCK_TILES; tile++) {
                w->rescale[tile][i] = 1.0f;
            }
            continue;
        }
        for (size_t tile = 0; tile < block->n_tiles; tile++) {
            const size_t visible = pi_visible(a, query + i, block->first + tile * TILE);
            const float rescale =
                visible == 0 ? 1.0f
                             : pi_weigh_tokens(w->p[i] + tile * TILE, visible, a->m + query + i, l);
            w->rescale[tile][i] = rescale;
            w->grows[tile] |= !(rescale == 1.0f);
        }
    }
}

static inline void pi_clear_state(const struct pi_attn_args *a, size_t query, size_t n) {
    for (size_t i = query; i < query + n; i++) {
        a->m[i] = -INFINITY;
        memset(a->l + i * TILE, 0, TILE * sizeof *a->l);
        memset(a->o + i * a->v_stride, 0, a->v_stride * sizeof *a->o);
    }
}

/* Calls run(a, query, n) with constant n for parts of nearly equal size. */
#define EACH_FEW(a, run)                                                                           \
    do {                                                                                           \
        const size_t n_parts = pi_ceil_div((a)->n_queries, FEW);                                   \
        for (size_t part = 0; part < n_parts; part++) {                                            \
            const size_t query = (a)->n_queries * part / n_parts;                                  \
            const size_t n = (a)->n_queries * (part + 1) / n_parts - query;                        \
            pi_clear_state(a, query, n);                                                           \
            switch (n) {                                                                           \
            case 1: run(a, query, 1); break;                                                       \
            case 2: run(a, query, 2); break;                                                       \
            case 3: run(a, query, 3); break;                                                       \
            case 4: run(a, query, 4); break;                                                       \
            case 5: run(a, query, 5); break;                                                       \
            case 6: run(a, query, 6); break;                                                       \
            default: run(a, query, 7); break;                                                      \
            }                                                                                      \
        }                                                                                          \
    } while (0)

#endif
