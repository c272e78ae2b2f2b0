/* Online softmax of one query, scalar: what does not depend on the format of the cache. */
#ifndef PYINFER_KERNELS_ATTN_QUERY_SCALAR_H
#define PYINFER_KERNELS_ATTN_QUERY_SCALAR_H

#include "kernels/util/exp.h"
#include "pyinfer/kernel_types.h"
#include <math.h>

/* Nothing seen. */
static inline void pi_clear_query(const struct pi_attn_args *a, size_t query) {
    a->m[query] = -INFINITY;
    for (size_t t = 0; t < PI_KV_TILE_TOKENS; t++) {
        a->l[query * PI_KV_TILE_TOKENS + t] = 0.0f;
    }
    for (size_t d = 0; d < a->v_stride; d++) {
        a->o[query * a->v_stride + d] = 0.0f;
    }
}

/* Raises the maximum of a query to that of n scores, shrinks its l and o to it and returns it. */
static inline float pi_raise_maximum(const struct pi_attn_args *a, size_t query, const float *score,
                                     size_t n) {
    float max = a->m[query];
    for (size_t t = 0; t < n; t++) {
        max = score[t] > max ? score[t] : max;
    }
    const float rescale = pi_expf(a->m[query] - max);
    for (size_t t = 0; t < PI_KV_TILE_TOKENS; t++) {
        a->l[query * PI_KV_TILE_TOKENS + t] *= rescale;
    }
    for (size_t d = 0; d < a->v_stride; d++) {
        a->o[query * a->v_stride + d] *= rescale;
    }
    a->m[query] = max;
    return max;
}

#endif
