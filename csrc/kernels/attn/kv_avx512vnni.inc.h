/* Template: attention over a paged cache, AVX-512.
 *
 * Parameters:
 *   NAME       exported symbol
 *   ELEMENT    stored element: uint16_t (f16) or float
 *   LOAD16     LOAD16(const ELEMENT *): 16 values as f32
 *
 * Few queries (decode): a register holds 16 cached tokens of one query, K and V are widened in
 * registers once for all queries of the head group, and each line that is read prefetches the same
 * line of the next block. Many queries (prompts): see queries_avx512vnni.h; tiles are widened into
 * L1 once for 48 queries. */
#include "kernels/attn/queries_avx512vnni.h"

pi_attn_fn NAME;

#define FEW 7             /* queries that share a pass over K and V */
#define MANY_HEAD_DIM 256 /* longest head whose queries and tiles fit the caches in f32 */
#define MANY_WIDE (PI_KV_BLOCK_TOKENS * VALUE_LINES * LANES) /* >= MANY_HEAD_DIM * TILE */
#define SCORE_TOKENS 8

/* One cache block as far as it is visible. */
struct block {
    const ELEMENT *k; /* [tile][head_dim][16] */
    const ELEMENT *v; /* [64][v_stride] */
    size_t first;     /* token */
    size_t count;
    ptrdiff_t ahead; /* bytes to the same place of the next block */
};

static struct block block_at(const struct pi_attn_args *a, size_t first) {
    const size_t index = first / PI_KV_BLOCK_TOKENS;
    const uint8_t *at = a->kv + (size_t)a->block_table[index] * a->block_stride;
    const size_t next = pi_min_size(index + 1, (a->end - 1) / PI_KV_BLOCK_TOKENS);
    const uint8_t *following = a->kv + (size_t)a->block_table[next] * a->block_stride;
    return (struct block){
        .k = (const ELEMENT *)(const void *)at,
        .v = (const ELEMENT *)(const void *)at + PI_KV_BLOCK_TOKENS * a->head_dim,
        .first = first,
        .count = pi_min_size(PI_KV_BLOCK_TOKENS, a->last - first),
        .ahead = following - at,
    };
}

PI_INLINE void prefetch(const ELEMENT *at, ptrdiff_t ahead) {
    _mm_prefetch((const char *)at + ahead, _MM_HINT_T1);
}

/* ---- few queries ---- */

struct weights {
    PI_ALIGNED(64) float p[FEW][PI_KV_BLOCK_TOKENS];
    float rescale[BLOCK_TILES][FEW];
    bool grows[BLOCK_TILES];
};

PI_INLINE void score_tiles(const struct pi_attn_args *a, const struct block *block, size_t query,
                           size_t n, size_t n_tiles, struct weights *w) {
    const float *q = a->q + query * a->q_stride;
    __m512 score_f32x16[BLOCK_TILES][FEW];
    for (size_t j = 0; j < n_tiles; j++) {
        for (size_t i = 0; i < n; i++) {
            score_f32x16[j][i] = _mm512_setzero_ps();
        }
    }
    for (size_t d = 0; d < a->head_dim; d++) {
        __m512 k_f32x16[BLOCK_TILES];
        for (size_t j = 0; j < n_tiles; j++) {
            const ELEMENT *line = block->k + (j * a->head_dim + d) * TILE;
            prefetch(line, block->ahead);
            k_f32x16[j] = LOAD16(line);
        }
        for (size_t i = 0; i < n; i++) {
            const __m512 q_f32x16 = _mm512_set1_ps(q[i * a->q_stride + d]);
            for (size_t j = 0; j < n_tiles; j++) {
                score_f32x16[j][i] = _mm512_fmadd_ps(q_f32x16, k_f32x16[j], score_f32x16[j][i]);
            }
        }
    }
    for (size_t j = 0; j < n_tiles; j++) {
        for (size_t i = 0; i < n; i++) {
            _mm512_store_ps(w->p[i] + j * TILE, score_f32x16[j][i]);
        }
    }
}

/* o = o * rescale + p * v for n_lines * 16 dimensions from d on, over tiles [tile, end); the last
 * one has n_last tokens that all queries see. */
PI_INLINE void add_values(const struct pi_attn_args *a, const struct block *block, size_t query,
                          size_t n, size_t tile, size_t end, size_t n_last, size_t d,
                          size_t n_lines, const struct weights *w) {
    __m512 o_f32x16[FEW][VALUE_LINES];
    float *o = a->o + query * a->v_stride + d;
    for (size_t i = 0; i < n; i++) {
        for (size_t c = 0; c < n_lines; c++) {
            o_f32x16[i][c] = _mm512_loadu_ps(o + i * a->v_stride + LANES * c);
        }
    }
    for (; tile < end; tile++) {
        if (w->grows[tile]) {
            for (size_t i = 0; i < n; i++) {
                for (size_t c = 0; c < n_lines; c++) {
                    o_f32x16[i][c] =
                        _mm512_mul_ps(o_f32x16[i][c], _mm512_set1_ps(w->rescale[tile][i]));
                }
            }
        }
        const size_t n_tokens = tile + 1 < end ? TILE : n_last;
        const ELEMENT *v = block->v + tile * TILE * a->v_stride + d;
        for (size_t t = 0; t < n_tokens; t++, v += a->v_stride) {
            __m512 v_f32x16[VALUE_LINES];
            for (size_t c = 0; c < n_lines; c++) {
                v_f32x16[c] = LOAD16(v + LANES * c);
            }
            for (size_t c = 0; c < n_lines * LANES * sizeof(ELEMENT); c += PI_LINE_BYTES) {
                prefetch(v + c / sizeof(ELEMENT), block->ahead);
            }
            for (size_t i = 0; i < n; i++) {
                const __m512 p_f32x16 = _mm512_set1_ps(w->p[i][tile * TILE + t]);
                for (size_t c = 0; c < n_lines; c++) {
                    o_f32x16[i][c] = _mm512_fmadd_ps(p_f32x16, v_f32x16[c], o_f32x16[i][c]);
                }
            }
        }
    }
    for (size_t i = 0; i < n; i++) {
        for (size_t c = 0; c < n_lines; c++) {
            _mm512_storeu_ps(o + i * a->v_stride + LANES * c, o_f32x16[i][c]);
        }
    }
}

PI_INLINE void add_tiles(const struct pi_attn_args *a, const struct block *block, size_t query,
                         size_t n, size_t tile, size_t end, size_t n_last,
                         const struct weights *w) {
    size_t d = 0;
    for (; d + VALUE_LINES * LANES <= a->v_stride; d += VALUE_LINES * LANES) {
        add_values(a, block, query, n, tile, end, n_last, d, VALUE_LINES, w);
    }
    for (; d < a->v_stride; d += LANES) {
        add_values(a, block, query, n, tile, end, n_last, d, 1, w);
    }
}

/* Tokens of a tile that only some of the queries see. */
PI_INLINE void add_own_tokens(const struct pi_attn_args *a, const ELEMENT *v, size_t query,
                              size_t from, size_t to, const float *p) {
    float *o = a->o + query * a->v_stride;
    for (size_t d = 0; d < a->v_stride; d += LANES) {
        __m512 o_f32x16 = _mm512_loadu_ps(o + d);
        for (size_t t = from; t < to; t++) {
            o_f32x16 =
                _mm512_fmadd_ps(_mm512_set1_ps(p[t]), LOAD16(v + t * a->v_stride + d), o_f32x16);
        }
        _mm512_storeu_ps(o + d, o_f32x16);
    }
}

/* Limits ascend; the tile starts at token `first`. */
PI_INLINE void add_ragged_tile(const struct pi_attn_args *a, const struct block *block,
                               size_t query, size_t n, size_t tile, const struct weights *w) {
    const size_t first = block->first + tile * TILE;
    const size_t common = pi_visible(a, query, first);
    add_tiles(a, block, query, n, tile, tile + 1, common, w);
    for (size_t i = 1; i < n; i++) {
        add_own_tokens(a, block->v + tile * TILE * a->v_stride, query + i, common,
                       pi_visible(a, query + i, first), w->p[i] + tile * TILE);
    }
}

PI_INLINE void weigh_block(const struct pi_attn_args *a, const struct block *block, size_t query,
                           size_t n, size_t n_tiles, struct weights *w) {
    for (size_t tile = 0; tile < n_tiles; tile++) {
        w->grows[tile] = false;
        for (size_t i = 0; i < n; i++) {
            const size_t visible = pi_visible(a, query + i, block->first + tile * TILE);
            w->rescale[tile][i] =
                visible == 0 ? 1.0f
                             : pi_weigh_tokens(w->p[i] + tile * TILE, visible, a->m + query + i,
                                               a->l + (query + i) * TILE);
            w->grows[tile] |= !(w->rescale[tile][i] == 1.0f);
        }
    }
}

PI_INLINE void attend_few(const struct pi_attn_args *a, size_t query, size_t n) {
    struct weights w;
    for (size_t first = a->first; first < a->last; first += PI_KV_BLOCK_TOKENS) {
        const struct block block = block_at(a, first);
        const size_t n_tiles = pi_ceil_div(block.count, TILE);
        if (n_tiles == 1) {
            score_tiles(a, &block, query, n, 1, &w);
        } else { /* what lies in unused slots is hidden later */
            score_tiles(a, &block, query, n, BLOCK_TILES, &w);
        }
        weigh_block(a, &block, query, n, n_tiles, &w);
        if ((size_t)a->limit[query] >= first + block.count) {
            add_tiles(a, &block, query, n, 0, n_tiles, block.count - (n_tiles - 1) * TILE, &w);
            continue;
        }
        for (size_t tile = 0; tile < n_tiles; tile++) {
            add_ragged_tile(a, &block, query, n, tile, &w);
        }
    }
}

static void attend_few_of(const struct pi_attn_args *a, size_t query, size_t n) {
    switch (n) {
    case 1: attend_few(a, query, 1); break;
    case 2: attend_few(a, query, 2); break;
    case 3: attend_few(a, query, 3); break;
    case 4: attend_few(a, query, 4); break;
    case 5: attend_few(a, query, 5); break;
    case 6: attend_few(a, query, 6); break;
    default: attend_few(a, query, 7); break;
    }
}

static void clear_state(const struct pi_attn_args *a, size_t query, size_t n) {
    for (size_t i = query; i < query + n; i++) {
        a->m[i] = -INFINITY;
        memset(a->l + i * TILE, 0, TILE * sizeof *a->l);
        memset(a->o + i * a->v_stride, 0, a->v_stride * sizeof *a->o);
    }
}

/* ---- many queries ---- */

/* q of n queries as [head_dim][48]; missing queries are zero. */
static void transpose_queries(float *to, const struct pi_attn_args *a, size_t query, size_t n) {
    memset(to, 0, a->head_dim * MAX_QUERIES * sizeof *to);
    for (size_t i = 0; i < n; i++) {
        for (size_t d = 0; d < a->head_dim; d++) {
            to[d * MAX_QUERIES + i] = a->q[(query + i) * a->q_stride + d];
        }
    }
}

/* Scores of 8 tokens and n * 16 queries. */
PI_INLINE void score_queries(float *p, const float *q, const float *k, size_t head_dim, size_t n) {
    __m512 score_f32x16[SCORE_TOKENS][MAX_REGISTERS];
    for (size_t t = 0; t < SCORE_TOKENS; t++) {
        for (size_t r = 0; r < n; r++) {
            score_f32x16[t][r] = _mm512_setzero_ps();
        }
    }
    for (size_t d = 0; d < head_dim; d++) {
        __m512 q_f32x16[MAX_REGISTERS];
        for (size_t r = 0; r < n; r++) {
            q_f32x16[r] = _mm512_load_ps(q + d * MAX_QUERIES + r * LANES);
        }
        for (size_t t = 0; t < SCORE_TOKENS; t++) {
            const __m512 k_f32x16 = _mm512_set1_ps(k[d * TILE + t]);
            for (size_t r = 0; r < n; r++) {
                score_f32x16[t][r] = _mm512_fmadd_ps(q_f32x16[r], k_f32x16, score_f32x16[t][r]);
            }
        }
    }
    for (size_t t = 0; t < SCORE_TOKENS; t++) {
        for (size_t r = 0; r < n; r++) {
            _mm512_store_ps(p + t * MAX_QUERIES + r * LANES, score_f32x16[t][r]);
        }
    }
}

static void score_tile(struct queries *s, size_t tile, const float *q, const float *k) {
    for (size_t t = 0; t < TILE; t += SCORE_TOKENS) {
        float *p = s->p + (tile * TILE + t) * MAX_QUERIES;
        switch (pi_ceil_div(s->count, LANES)) {
        case 1: score_queries(p, q, k + t, s->a->head_dim, 1); break;
        case 2: score_queries(p, q, k + t, s->a->head_dim, 2); break;
        default: score_queries(p, q, k + t, s->a->head_dim, 3); break;
        }
    }
}

/* n_rows rows of `width` values as f32. */
static void widen(const ELEMENT *from, size_t from_step, float *to, size_t n_rows, size_t width,
                  ptrdiff_t ahead) {
    for (size_t r = 0; r < n_rows; r++) {
        for (size_t i = 0; i < width; i += LANES) {
            prefetch(from + r * from_step + i, ahead);
            _mm512_store_ps(to + r * width + i, LOAD16(from + r * from_step + i));
        }
    }
}

static void add_block_values(const struct queries *s, const struct block *block, float *wide) {
    const size_t stride = s->a->v_stride;
    const size_t n_tokens = pi_min_size(s->n_tiles * TILE, block->count);
    for (size_t d = 0; d < stride;) {
        const size_t n_lines = d + VALUE_LINES * LANES <= stride ? VALUE_LINES : 1;
        if (sizeof(ELEMENT) == sizeof(float)) {
            const float *v = (const float *)(const void *)(block->v + d);
            pi_queries_add_values(s, v, stride, d, n_lines);
        } else {
            widen(block->v + d, stride, wide, n_tokens, n_lines * LANES, block->ahead);
            pi_queries_add_values(s, wide, n_lines * LANES, d, n_lines);
        }
        d += n_lines * LANES;
    }
}

static void attend_many(const struct pi_attn_args *a, size_t query, size_t n) {
    PI_ALIGNED(64) float q[MANY_HEAD_DIM * MAX_QUERIES];
    PI_ALIGNED(64) float wide[MANY_WIDE];
    struct queries s;
    transpose_queries(q, a, query, n);
    pi_queries_begin(&s, a, query, n);
    const size_t last = pi_min_size((size_t)a->limit[query + n - 1], a->last);
    for (size_t first = a->first; first < last; first += PI_KV_BLOCK_TOKENS) {
        const struct block block = block_at(a, first);
        pi_queries_enter(&s, first);
        for (size_t tile = 0; tile < s.n_tiles; tile++) {
            const ELEMENT *k = block.k + tile * TILE * a->head_dim;
            if (sizeof(ELEMENT) == sizeof(float)) {
                score_tile(&s, tile, q, (const float *)(const void *)k);
            } else {
                widen(k, TILE, wide, a->head_dim, TILE, block.ahead);
                score_tile(&s, tile, q, wide);
            }
        }
        pi_queries_weigh(&s);
        add_block_values(&s, &block, wide);
    }
    pi_queries_end(&s);
}

void NAME(const struct pi_attn_args *a) {
    if (a->n_queries <= FEW || a->v_stride > MANY_HEAD_DIM) {
        const size_t n_parts = pi_ceil_div(a->n_queries, FEW);
        for (size_t i = 0; i < n_parts; i++) {
            const size_t query = a->n_queries * i / n_parts;
            const size_t n = a->n_queries * (i + 1) / n_parts - query;
            clear_state(a, query, n);
            attend_few_of(a, query, n);
        }
        return;
    }
    const size_t n_parts = pi_ceil_div(a->n_queries, MAX_QUERIES);
    size_t query = 0;
    for (size_t i = 0; i < n_parts; i++) {
        const size_t n = pi_min_size(pi_round_up((a->n_queries - query) / (n_parts - i), LANES),
                                     a->n_queries - query);
        attend_many(a, query, n);
        query += n;
    }
}

#undef NAME
#undef ELEMENT
#undef LOAD16
