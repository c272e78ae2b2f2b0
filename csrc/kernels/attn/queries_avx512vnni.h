/* Attention of many queries (prompts), AVX-512: the parts that do not depend on the format of the
 * cache. A register holds one value of 16 queries, so that neither maximum nor sum runs across a
 * register; up to three registers (48 queries) share what is read of K and V. A block of 64 tokens
 * is scored, weighed and added at a time, so that o is loaded and stored once per block. */
#ifndef PYINFER_KERNELS_ATTN_QUERIES_AVX512VNNI_H
#define PYINFER_KERNELS_ATTN_QUERIES_AVX512VNNI_H

#include "kernels/attn/softmax_avx512vnni.h"

#define MAX_REGISTERS 3
#define MAX_QUERIES (MAX_REGISTERS * LANES)
#define VALUE_QUERIES 12 /* at most, with two lines */

/* Up to 48 queries from `first` on, and their state over one cache block. */
struct queries {
    const struct pi_attn_args *a;
    size_t first;
    size_t count;
    PI_ALIGNED(64) float m[MAX_QUERIES];
    PI_ALIGNED(64) float l[TILE * MAX_QUERIES];               /* [lane][query] */
    PI_ALIGNED(64) float p[PI_KV_BLOCK_TOKENS * MAX_QUERIES]; /* [token][query] */
    PI_ALIGNED(64) float rescale[BLOCK_TILES][MAX_QUERIES];
    PI_ALIGNED(64) int32_t visible[BLOCK_TILES][MAX_QUERIES]; /* tokens of the tile */
    bool grows[BLOCK_TILES];
    size_t n_tiles; /* that at least one query sees */
    size_t n_full;  /* that all queries see as a whole */
};

static PI_UNUSED void pi_queries_begin(struct queries *s, const struct pi_attn_args *a,
                                       size_t first, size_t count) {
    memset(s, 0, sizeof *s);
    s->a = a;
    s->first = first;
    s->count = count;
    for (size_t i = 0; i < MAX_QUERIES; i++) {
        s->m[i] = -INFINITY;
    }
    memset(a->o + first * a->v_stride, 0, count * a->v_stride * sizeof *a->o);
}

static PI_UNUSED void pi_queries_end(const struct queries *s) {
    const struct pi_attn_args *a = s->a;
    memcpy(a->m + s->first, s->m, s->count * sizeof *a->m);
    for (size_t i = 0; i < s->count; i++) {
        for (size_t t = 0; t < TILE; t++) {
            a->l[(s->first + i) * TILE + t] = s->l[t * MAX_QUERIES + i];
        }
    }
}

/* Goes to the block whose first token is `first`; limits ascend. */
static PI_UNUSED void pi_queries_enter(struct queries *s, size_t first) {
    s->n_tiles = s->n_full = 0;
    for (size_t tile = 0; tile < BLOCK_TILES; tile++) {
        const size_t token = first + tile * TILE;
        s->n_full += pi_visible(s->a, s->first, token) == TILE;
        s->n_tiles += pi_visible(s->a, s->first + s->count - 1, token) > 0;
        for (size_t i = 0; s->n_full <= tile && i < s->count; i++) {
            s->visible[tile][i] = (int32_t)pi_visible(s->a, s->first + i, token);
        }
    }
}

/* Scores in s->p become weights. */
static PI_UNUSED void pi_queries_weigh(struct queries *s) {
    for (size_t tile = 0; tile < s->n_tiles; tile++) {
        const int32_t *visible = tile < s->n_full ? NULL : s->visible[tile];
        s->grows[tile] = false;
        for (size_t i = 0; i < s->count; i += LANES) {
            s->grows[tile] |= pi_weigh_queries(s->p + tile * TILE * MAX_QUERIES + i, s->l + i,
                                               MAX_QUERIES, visible == NULL ? NULL : visible + i,
                                               s->m + i, s->rescale[tile] + i);
        }
    }
}

/* Adds the weighted values of tokens [from, to) of the block; v points to n_lines * 16 dimensions of
 * its first token, p to the weights of the first of n queries. */
PI_INLINE void pi_add_tokens(__m512 (*o_f32x16)[VALUE_LINES], size_t n, size_t n_lines,
                             const float *v, size_t v_step, const float *p, size_t from,
                             size_t to) {
    for (size_t t = from; t < to; t++) {
        __m512 v_f32x16[VALUE_LINES];
        for (size_t c = 0; c < n_lines; c++) {
            v_f32x16[c] = _mm512_loadu_ps(v + t * v_step + LANES * c);
        }
        for (size_t j = 0; j < n; j++) {
            const __m512 p_f32x16 = _mm512_set1_ps(p[t * MAX_QUERIES + j]);
            for (size_t c = 0; c < n_lines; c++) {
                o_f32x16[j][c] = _mm512_fmadd_ps(p_f32x16, v_f32x16[c], o_f32x16[j][c]);
            }
        }
    }
}

/* o = o * rescale + p * v over the block, for n queries from i on; v and d as above. */
PI_INLINE void pi_queries_add_part(const struct queries *s, const float *p, const float *v,
                                   size_t v_step, size_t i, size_t n, size_t d, size_t n_lines) {
    const size_t stride = s->a->v_stride;
    float *o = s->a->o + (s->first + i) * stride + d;
    __m512 o_f32x16[VALUE_QUERIES][VALUE_LINES];
    FOR_EACH_SUM(n, n_lines) { o_f32x16[j][c] = _mm512_loadu_ps(o + j * stride + LANES * c); }
    for (size_t tile = 0; tile < s->n_tiles; tile++) {
        if (s->grows[tile]) {
            FOR_EACH_SUM(n, n_lines) {
                const __m512 factor = _mm512_set1_ps(s->rescale[tile][i + j]);
                o_f32x16[j][c] = _mm512_mul_ps(o_f32x16[j][c], factor);
            }
        }
        const size_t from = tile * TILE;
        if (tile < s->n_full) {
            pi_add_tokens(o_f32x16, n, n_lines, v, v_step, p + i, from, from + TILE);
            continue;
        }
        /* The diagonal of a prompt: tokens that all n queries see, then those of each. */
        size_t common = from + (size_t)s->visible[tile][i];
        pi_add_tokens(o_f32x16, n, n_lines, v, v_step, p + i, from, common);
        for (size_t j = 1; j < n; j++) {
            pi_add_tokens(o_f32x16 + j, 1, n_lines, v, v_step, p + i + j, common,
                          from + (size_t)s->visible[tile][i + j]);
        }
    }
    FOR_EACH_SUM(n, n_lines) { _mm512_storeu_ps(o + j * stride + LANES * c, o_f32x16[j][c]); }
}

#define ADD_PARTS(n, n_lines)                                                                      \
    for (; i + (n) <= s->count; i += (n)) {                                                        \
        pi_queries_add_part(s, p, v, v_step, i, n, d, n_lines);                                    \
    }

/* n_lines (1, 2 or 4) * 16 dimensions from d on of all queries; 24 sums stay in registers. */
static PI_UNUSED void pi_queries_add_values(const struct queries *s, const float *p, const float *v,
                                            size_t v_step, size_t d, size_t n_lines) {
    size_t i = 0;
    if (n_lines == 4) {
        ADD_PARTS(6, 4)
        ADD_PARTS(2, 4)
        ADD_PARTS(1, 4)
    } else if (n_lines == 2) {
        ADD_PARTS(12, 2)
        ADD_PARTS(4, 2)
        ADD_PARTS(1, 2)
    } else {
        ADD_PARTS(12, 1)
        ADD_PARTS(1, 1)
    }
}

/* Calls run(a, query, n) for parts of up to 48 queries. */
#define EACH_MANY(a, run)                                                                          \
    do {                                                                                           \
        const size_t n_parts = pi_ceil_div((a)->n_queries, MAX_QUERIES);                           \
        size_t query = 0;                                                                          \
        for (size_t part = 0; part < n_parts; part++) {                                            \
            const size_t left = (a)->n_queries - query;                                            \
            const size_t n = pi_min_size(left, pi_round_up(left / (n_parts - part), LANES));       \
            run(a, query, n);                                                                      \
            query += n;                                                                            \
        }                                                                                          \
    } while (0)

#endif
