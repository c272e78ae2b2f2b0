/* Template: attention over a paged cache, AVX-512.
 *
 * Few queries (decode): a register holds 16 cached tokens of one query, K and V are widened in
 * registers once for all queries of the head group, and each line that is read prefetches the same
 * line of the next block. Many queries (prompts): see queries_avx512vnni.h; tiles are widened into
 * L1 once for 48 queries. */
#include "kernels/attn/queries_avx512vnni.h"
#include "kernels/attn/tokens_avx512vnni.h"

#ifndef PARAM_KERNEL
#error "attn/kv_avx512vnni.inc.h needs PARAM_KERNEL"
#endif
#ifndef PARAM_ELEMENT
#error "attn/kv_avx512vnni.inc.h needs PARAM_ELEMENT"
#endif
#ifndef PARAM_LOAD
#error "attn/kv_avx512vnni.inc.h needs PARAM_LOAD"
#endif

pi_attn_fn PARAM_KERNEL;

#define MANY_HEAD_DIM 256 /* longest head whose queries and tiles fit the caches in f32 */
#define MANY_WIDE (PI_KV_BLOCK_TOKENS * VALUE_LINES * LANES) /* >= MANY_HEAD_DIM * TILE */
#define SCORE_TOKENS 8

static const PARAM_ELEMENT *keys_of(const struct block *block) {
    return (const PARAM_ELEMENT *)(const void *)block->at; /* [tile][head_dim][16] */
}

static const PARAM_ELEMENT *values_of(const struct pi_attn_args *a, const struct block *block) {
    return keys_of(block) + PI_KV_BLOCK_TOKENS * a->head_dim; /* [64][v_stride] */
}

/* ---- few queries ---- */

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
            const PARAM_ELEMENT *line = keys_of(block) + (j * a->head_dim + d) * TILE;
            pi_prefetch_ahead(line, block->ahead);
            k_f32x16[j] = PARAM_LOAD(line);
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

/* Tokens [from, to) of the block for n queries; v points to n_lines * 16 dimensions. */
PI_INLINE void add_tokens(__m512 (*o_f32x16)[VALUE_LINES], size_t n, size_t n_lines,
                          const PARAM_ELEMENT *v, size_t v_stride, ptrdiff_t ahead,
                          const float (*p)[PI_KV_BLOCK_TOKENS], size_t from, size_t to) {
    v += from * v_stride;
    for (size_t t = from; t < to; t++, v += v_stride) {
        __m512 v_f32x16[VALUE_LINES];
        for (size_t c = 0; c < n_lines; c++) {
            v_f32x16[c] = PARAM_LOAD(v + LANES * c);
        }
        for (size_t c = 0; c < n_lines * LANES * sizeof(PARAM_ELEMENT); c += PI_LINE_BYTES) {
            pi_prefetch_ahead((const char *)v + c, ahead);
        }
        for (size_t i = 0; i < n; i++) {
            const __m512 p_f32x16 = _mm512_set1_ps(p[i][t]);
            for (size_t c = 0; c < n_lines; c++) {
                o_f32x16[i][c] = _mm512_fmadd_ps(p_f32x16, v_f32x16[c], o_f32x16[i][c]);
            }
        }
    }
}

/* o = o * rescale + p * v for n_lines * 16 dimensions from d on; n queries, from number i of the
 * weights on, that see the same tokens. All indices of o are constants, so it stays in registers. */
PI_INLINE void add_values(const struct pi_attn_args *a, const struct block *block, size_t query,
                          size_t i, size_t n, size_t d, size_t n_lines, const struct weights *w) {
    __m512 o_f32x16[FEW][VALUE_LINES];
    float *o = a->o + (query + i) * a->v_stride + d;
    const PARAM_ELEMENT *v = values_of(a, block) + d;
    FOR_EACH_SUM(n, n_lines) { o_f32x16[j][c] = _mm512_loadu_ps(o + j * a->v_stride + LANES * c); }
    for (size_t tile = 0; tile < block->n_tiles; tile++) {
        if (w->grows[tile]) {
            FOR_EACH_SUM(n, n_lines) {
                const __m512 factor = _mm512_set1_ps(w->rescale[tile][i + j]);
                o_f32x16[j][c] = _mm512_mul_ps(o_f32x16[j][c], factor);
            }
        }
        const size_t from = tile * TILE;
        const size_t to = from + pi_visible(a, query + i, block->first + from);
        add_tokens(o_f32x16, n, n_lines, v, a->v_stride, block->ahead, w->p + i, from, to);
    }
    FOR_EACH_SUM(n, n_lines) { _mm512_storeu_ps(o + j * a->v_stride + LANES * c, o_f32x16[j][c]); }
}

PI_INLINE void add_all_values(const struct pi_attn_args *a, const struct block *block, size_t query,
                              size_t i, size_t n, const struct weights *w) {
    size_t d = 0;
    for (; d + VALUE_LINES * LANES <= a->v_stride; d += VALUE_LINES * LANES) {
        add_values(a, block, query, i, n, d, VALUE_LINES, w);
    }
    for (; d < a->v_stride; d += LANES) {
        add_values(a, block, query, i, n, d, 1, w);
    }
}

/* The block in which the limits of the queries lie. */
static void add_values_of_each(const struct pi_attn_args *a, const struct block *block,
                               size_t query, size_t n, const struct weights *w) {
    for (size_t i = 0; i < n; i++) {
        add_all_values(a, block, query, i, 1, w);
    }
}

PI_INLINE void attend_few(const struct pi_attn_args *a, size_t query, size_t n) {
    struct weights w;
    for (size_t first = a->first; first < a->last; first += PI_KV_BLOCK_TOKENS) {
        const struct block block = pi_block_at(a, first);
        if (block.n_tiles == 1) {
            score_tiles(a, &block, query, n, 1, &w);
        } else { /* what lies in unused slots is hidden later */
            score_tiles(a, &block, query, n, BLOCK_TILES, &w);
        }
        pi_weigh_block(a, &block, query, n, &w);
        if (pi_see_the_same(a, &block, query, n)) {
            add_all_values(a, &block, query, 0, n, &w);
        } else {
            add_values_of_each(a, &block, query, n, &w);
        }
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
static void widen(const PARAM_ELEMENT *from, size_t from_step, float *to, size_t n_rows,
                  size_t width, ptrdiff_t ahead) {
    for (size_t r = 0; r < n_rows; r++) {
        for (size_t i = 0; i < width; i += LANES) {
            pi_prefetch_ahead(from + r * from_step + i, ahead);
            _mm512_store_ps(to + r * width + i, PARAM_LOAD(from + r * from_step + i));
        }
    }
}

static void add_block_values(const struct queries *s, const struct block *block, float *wide) {
    const size_t stride = s->a->v_stride;
    const size_t n_tokens = pi_min_size(s->n_tiles * TILE, block->count);
    for (size_t d = 0; d < stride;) {
        const size_t n_lines = d + VALUE_LINES * LANES <= stride ? VALUE_LINES : 1;
        const PARAM_ELEMENT *v = values_of(s->a, block) + d;
        if (sizeof(PARAM_ELEMENT) == sizeof(float)) {
            pi_queries_add_values(s, s->p, (const float *)(const void *)v, stride, d, n_lines);
        } else {
            widen(v, stride, wide, n_tokens, n_lines * LANES, block->ahead);
            pi_queries_add_values(s, s->p, wide, n_lines * LANES, d, n_lines);
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
        const struct block block = pi_block_at(a, first);
        pi_queries_enter(&s, first);
        for (size_t tile = 0; tile < s.n_tiles; tile++) {
            const PARAM_ELEMENT *k = keys_of(&block) + tile * TILE * a->head_dim;
            if (sizeof(PARAM_ELEMENT) == sizeof(float)) {
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

void PARAM_KERNEL(const struct pi_attn_args *a) {
    if (a->n_queries <= FEW || a->v_stride > MANY_HEAD_DIM) {
        EACH_FEW(a, attend_few);
        return;
    }
    EACH_MANY(a, attend_many);
}

#include "kernels/undef_params.h"
