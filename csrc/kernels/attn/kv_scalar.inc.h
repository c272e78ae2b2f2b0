/* Template: attention over a paged cache, scalar: the specification.
 *
 * Tiles of 16 tokens, ascending. Per tile and query: scores as one fma chain over the head
 * dimension; the running maximum grows to the maximum of the tile; l and o are rescaled by
 * exp(old - new); each visible token t adds p = exp(score - maximum) to lane t of l and, in
 * ascending t, fma(p, v, o) to o. Online softmax: Milakov and Gimelshein 2018, Dao et al. 2022. */
#include "kernels/attn/query_scalar.h"

#ifndef PARAM_KERNEL
#error "attn/kv_scalar.inc.h needs PARAM_KERNEL"
#endif
#ifndef PARAM_ELEMENT
#error "attn/kv_scalar.inc.h needs PARAM_ELEMENT"
#endif
#ifndef PARAM_LOAD
#error "attn/kv_scalar.inc.h needs PARAM_LOAD"
#endif

pi_attn_fn PARAM_KERNEL;

static void scores_of_tile(float *score, const float *q, const PARAM_ELEMENT *k_tile,
                           size_t head_dim) {
    for (size_t t = 0; t < PI_KV_TILE_TOKENS; t++) {
        float s = 0.0f;
        for (size_t d = 0; d < head_dim; d++) {
            s = fmaf(q[d], PARAM_LOAD(k_tile[d * PI_KV_TILE_TOKENS + t]), s);
        }
        score[t] = s;
    }
}

static void add_tile(const struct pi_attn_args *a, size_t query, const PARAM_ELEMENT *k_tile,
                     const PARAM_ELEMENT *v_rows, size_t n_visible) {
    float score[PI_KV_TILE_TOKENS];
    scores_of_tile(score, a->q + query * a->q_stride, k_tile, a->head_dim);
    const float max = pi_raise_maximum(a, query, score, n_visible);
    float *l = a->l + query * PI_KV_TILE_TOKENS;
    float *o = a->o + query * a->v_stride;
    for (size_t t = 0; t < n_visible; t++) {
        const float p = pi_expf(score[t] - max);
        l[t] += p;
        for (size_t d = 0; d < a->v_stride; d++) {
            o[d] = fmaf(p, PARAM_LOAD(v_rows[t * a->v_stride + d]), o[d]);
        }
    }
}

void PARAM_KERNEL(const struct pi_attn_args *a) {
    for (size_t i = 0; i < a->n_queries; i++) {
        pi_clear_query(a, i);
        const size_t visible = (size_t)a->limit[i];
        const size_t last = pi_min_size(visible, a->last);
        for (size_t k = a->first; k < last; k += PI_KV_TILE_TOKENS) {
            const size_t block = (size_t)a->block_table[k / PI_KV_BLOCK_TOKENS];
            const PARAM_ELEMENT *keys =
                (const PARAM_ELEMENT *)(const void *)(a->kv + block * a->block_stride);
            const PARAM_ELEMENT *values = keys + PI_KV_BLOCK_TOKENS * a->head_dim;
            const size_t slot = k % PI_KV_BLOCK_TOKENS;
            add_tile(a, i, keys + slot * a->head_dim, values + slot * a->v_stride,
                     pi_min_size(last - k, PI_KV_TILE_TOKENS));
        }
    }
}

#include "kernels/undef_params.h"
