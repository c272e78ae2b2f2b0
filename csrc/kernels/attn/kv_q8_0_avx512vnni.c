/* Attention over a q8_0 cache, AVX-512: scores by vpdpbusd with the bytes of K as the unsigned side
 * (the offset 128 starts the accumulator), values widened to f32 in registers or, for prompts, into
 * L1. A score takes a quarter of the multiply slots of an f16 cache and both read half the bytes. */
#include "kernels/attn/kv_q8_0.h"
#include "kernels/attn/queries_avx512vnni.h"
#include "kernels/attn/tokens_avx512vnni.h"

pi_attn_fn pi_attn_kv_q8_0_avx512vnni;

#define CHUNKS 8     /* lines of K per 32 values */
#define PAIR_LINES 2 /* registers of 32 values */
#define MAX_BLOCKS 8 /* of 32 values in the longest head of the way for prompts */
#define MANY_HEAD_DIM (MAX_BLOCKS * PI_BLOCK_INPUTS)
#define SCORE_TOKENS 4

/* Where a block (of 64 tokens) keeps what. */
struct parts {
    const uint16_t *k_scales, *v_scales; /* [tile][n][16] */
    const uint8_t *k;                    /* [tile][n][8][16][4] */
    const int8_t *v;                     /* [64][head_dim] */
    size_t n;
};

static struct parts parts_of(const struct pi_attn_args *a, const struct block *block) {
    const struct pi_kv_q8_0_layout at = pi_kv_q8_0_layout(a->head_dim);
    return (struct parts){
        .k_scales = (const uint16_t *)(const void *)block->at,
        .v_scales = (const uint16_t *)(const void *)(block->at + at.v_scales),
        .k = block->at + at.k,
        .v = (const int8_t *)block->at + at.v,
        .n = at.n,
    };
}

PI_INLINE __m512 load_s8(const int8_t *v) {
    return _mm512_cvtepi32_ps(
        _mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)(const void *)v)));
}

/* ---- few queries ---- */

PI_INLINE void score_tiles(const struct pi_attn_args *a, const struct block *block, size_t query,
                           size_t n, size_t tile, size_t n_tiles, struct weights *w) {
    const struct parts parts = parts_of(a, block);
    __m512 score_f32x16[2][FEW];
    FOR_EACH_SUM(n_tiles, n) { score_f32x16[j][c] = _mm512_setzero_ps(); }
    for (size_t b = 0; b < parts.n; b++) {
        const struct pi_a8_group *q = a->q8 + query * a->q8_stride + b / 4;
        __m512i sum_i32x16[2][FEW];
        FOR_EACH_SUM(n_tiles, n) {
            sum_i32x16[j][c] = _mm512_set1_epi32(q[c * a->q8_stride].start_q8[b % 4]);
        }
        for (size_t chunk = 0; chunk < CHUNKS; chunk++) {
            __m512i k_u8x64[2];
            for (size_t j = 0; j < n_tiles; j++) {
                const uint8_t *line =
                    parts.k + (((tile + j) * parts.n + b) * CHUNKS + chunk) * PI_LINE_BYTES;
                pi_prefetch_ahead(line, block->ahead);
                k_u8x64[j] = _mm512_loadu_si512(line);
            }
            for (size_t c = 0; c < n; c++) {
                int32_t four;
                memcpy(&four, q[c * a->q8_stride].q + b % 4 * PI_BLOCK_INPUTS + 4 * chunk, 4);
                for (size_t j = 0; j < n_tiles; j++) {
                    sum_i32x16[j][c] =
                        _mm512_dpbusd_epi32(sum_i32x16[j][c], k_u8x64[j], _mm512_set1_epi32(four));
                }
            }
        }
        for (size_t j = 0; j < n_tiles; j++) {
            const uint16_t *scales = parts.k_scales + ((tile + j) * parts.n + b) * TILE;
            const __m512 scale_f32x16 = pi_load_f16_512(scales);
            for (size_t c = 0; c < n; c++) {
                const __m512 q_scale = _mm512_set1_ps(q[c * a->q8_stride].scale[b % 4]);
                score_f32x16[j][c] =
                    _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum_i32x16[j][c]),
                                    _mm512_mul_ps(scale_f32x16, q_scale), score_f32x16[j][c]);
            }
        }
    }
    FOR_EACH_SUM(n_tiles, n) { _mm512_store_ps(w->p[c] + (tile + j) * TILE, score_f32x16[j][c]); }
}

/* Weights times the scales of two blocks of 32 values from block b on; n queries from number
 * `query` of the weights on. */
struct scaled {
    PI_ALIGNED(64) float p[2][FEW][PI_KV_BLOCK_TOKENS];
};

PI_INLINE void scale_weights(const struct block *block, const struct parts *parts, size_t b,
                             size_t n_pairs, size_t query, size_t n, const struct weights *w,
                             struct scaled *to) {
    for (size_t tile = 0; tile < block->n_tiles; tile++) {
        for (size_t pair = 0; pair < n_pairs; pair++) {
            const __m512 scale_f32x16 =
                pi_load_f16_512(parts->v_scales + (tile * parts->n + b + pair) * TILE);
            for (size_t i = 0; i < n; i++) {
                const __m512 p_f32x16 = _mm512_load_ps(w->p[query + i] + tile * TILE);
                _mm512_store_ps(to->p[pair][i] + tile * TILE,
                                _mm512_mul_ps(p_f32x16, scale_f32x16));
            }
        }
    }
}

/* Tokens [from, to) for n queries, n_pairs * 32 values; v points to them. */
PI_INLINE void add_tokens(__m512 (*o_f32x16)[VALUE_LINES], size_t n, size_t n_pairs,
                          const int8_t *v, size_t v_step, ptrdiff_t ahead, const struct scaled *w,
                          size_t from, size_t to) {
    v += from * v_step;
    for (size_t t = from; t < to; t++, v += v_step) {
        __m512 v_f32x16[VALUE_LINES];
        for (size_t c = 0; c < n_pairs * PAIR_LINES; c++) {
            v_f32x16[c] = load_s8(v + LANES * c);
        }
        pi_prefetch_ahead(v, ahead);
        for (size_t i = 0; i < n; i++) {
            for (size_t c = 0; c < n_pairs * PAIR_LINES; c++) {
                const __m512 p_f32x16 = _mm512_set1_ps(w->p[c / PAIR_LINES][i][t]);
                o_f32x16[i][c] = _mm512_fmadd_ps(p_f32x16, v_f32x16[c], o_f32x16[i][c]);
            }
        }
    }
}

/* n queries, from number i of the weights on, that see the same tokens: all indices of o are
 * constants, so it stays in registers. */
PI_INLINE void add_values(const struct pi_attn_args *a, const struct block *block, size_t query,
                          size_t i, size_t n, size_t b, size_t n_pairs, const struct weights *w) {
    const struct parts parts = parts_of(a, block);
    const size_t d = b * PI_BLOCK_INPUTS;
    const size_t n_lines = n_pairs * PAIR_LINES;
    struct scaled scaled;
    __m512 o_f32x16[FEW][VALUE_LINES];
    float *o = a->o + (query + i) * a->v_stride + d;
    scale_weights(block, &parts, b, n_pairs, i, n, w, &scaled);
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
        add_tokens(o_f32x16, n, n_pairs, parts.v + d, a->head_dim, block->ahead, &scaled, from, to);
    }
    FOR_EACH_SUM(n, n_lines) { _mm512_storeu_ps(o + j * a->v_stride + LANES * c, o_f32x16[j][c]); }
}

PI_INLINE void add_all_values(const struct pi_attn_args *a, const struct block *block, size_t query,
                              size_t i, size_t n, const struct weights *w) {
    const size_t n_values = a->head_dim / PI_BLOCK_INPUTS;
    size_t b = 0;
    for (; b + 2 <= n_values; b += 2) {
        add_values(a, block, query, i, n, b, 2, w);
    }
    if (b < n_values) {
        add_values(a, block, query, i, n, b, 1, w);
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
        size_t tile = 0;
        for (; n <= 6 && tile + 2 <= block.n_tiles; tile += 2) {
            score_tiles(a, &block, query, n, tile, 2, &w);
        }
        for (; tile < block.n_tiles; tile++) {
            score_tiles(a, &block, query, n, tile, 1, &w);
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

/* Queries across: [chunk of 4 values][48 queries][4], and per 32 values scale and start. */
struct across {
    PI_ALIGNED(64) int8_t q[MANY_HEAD_DIM / 4][MAX_QUERIES][4];
    PI_ALIGNED(64) float scale[MAX_BLOCKS][MAX_QUERIES];
    PI_ALIGNED(64) int32_t start[MAX_BLOCKS][MAX_QUERIES];
};

static void transpose_queries(struct across *to, const struct pi_attn_args *a, size_t query,
                              size_t n) {
    memset(to, 0, sizeof *to);
    for (size_t i = 0; i < n; i++) {
        const struct pi_a8_group *q = a->q8 + (query + i) * a->q8_stride;
        for (size_t d = 0; d < a->head_dim; d += 4) {
            memcpy(to->q[d / 4][i], q[d / PI_GROUP_INPUTS].q + d % PI_GROUP_INPUTS, 4);
        }
        for (size_t b = 0; b < a->head_dim / PI_BLOCK_INPUTS; b++) {
            to->scale[b][i] = q[b / 4].scale[b % 4];
            to->start[b][i] = q[b / 4].start_q8[b % 4];
        }
    }
}

/* Scores of 4 tokens and n * 16 queries; k points to the first of the tokens in line 0. */
PI_INLINE void score_queries(float *p, const struct across *q, const uint8_t *k,
                             const float *k_scale, size_t n_blocks, size_t n) {
    __m512 score_f32x16[SCORE_TOKENS][MAX_REGISTERS];
    FOR_EACH_SUM(SCORE_TOKENS, n) { score_f32x16[j][c] = _mm512_setzero_ps(); }
    for (size_t b = 0; b < n_blocks; b++) {
        __m512i sum_i32x16[SCORE_TOKENS][MAX_REGISTERS];
        FOR_EACH_SUM(SCORE_TOKENS, n) {
            sum_i32x16[j][c] = _mm512_load_si512(q->start[b] + LANES * c);
        }
        for (size_t chunk = 0; chunk < CHUNKS; chunk++) {
            for (size_t j = 0; j < SCORE_TOKENS; j++) {
                int32_t four;
                memcpy(&four, k + (b * CHUNKS + chunk) * PI_LINE_BYTES + 4 * j, 4);
                const __m512i k_u8x64 = _mm512_set1_epi32(four);
                for (size_t c = 0; c < n; c++) {
                    sum_i32x16[j][c] =
                        _mm512_dpbusd_epi32(sum_i32x16[j][c], k_u8x64,
                                            _mm512_load_si512(q->q[b * CHUNKS + chunk][LANES * c]));
                }
            }
        }
        FOR_EACH_SUM(SCORE_TOKENS, n) {
            const __m512 scale = _mm512_mul_ps(_mm512_set1_ps(k_scale[b * TILE + j]),
                                               _mm512_load_ps(q->scale[b] + LANES * c));
            score_f32x16[j][c] =
                _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum_i32x16[j][c]), scale, score_f32x16[j][c]);
        }
    }
    FOR_EACH_SUM(SCORE_TOKENS, n) {
        _mm512_store_ps(p + j * MAX_QUERIES + LANES * c, score_f32x16[j][c]);
    }
}

static void score_tile(struct queries *s, const struct parts *parts, size_t tile,
                       const struct across *q) {
    PI_ALIGNED(64) float k_scale[MAX_BLOCKS * TILE];
    const uint8_t *k = parts->k + tile * TILE * s->a->head_dim;
    for (size_t b = 0; b < parts->n; b++) {
        _mm512_store_ps(k_scale + b * TILE,
                        pi_load_f16_512(parts->k_scales + (tile * parts->n + b) * TILE));
    }
    for (size_t t = 0; t < TILE; t += SCORE_TOKENS) {
        float *p = s->p + (tile * TILE + t) * MAX_QUERIES;
        switch (pi_ceil_div(s->count, LANES)) {
        case 1: score_queries(p, q, k + 4 * t, k_scale + t, parts->n, 1); break;
        case 2: score_queries(p, q, k + 4 * t, k_scale + t, parts->n, 2); break;
        default: score_queries(p, q, k + 4 * t, k_scale + t, parts->n, 3); break;
        }
    }
}

/* 32 values of all tokens from block b on: weights times scales, V as f32. */
static void add_block_values(const struct queries *s, const struct block *block,
                             const struct parts *parts, size_t b) {
    PI_ALIGNED(64) float p[PI_KV_BLOCK_TOKENS * MAX_QUERIES];
    PI_ALIGNED(64) float wide[PI_KV_BLOCK_TOKENS * PI_BLOCK_INPUTS];
    const size_t n_tokens = pi_min_size(s->n_tiles * TILE, block->count);
    for (size_t t = 0; t < n_tokens; t++) {
        const size_t at = (t / TILE * parts->n + b) * TILE + t % TILE;
        const __m512 scale_f32x16 = _mm512_set1_ps(pi_f16_to_f32(parts->v_scales[at]));
        for (size_t i = 0; i < s->count; i += LANES) {
            const __m512 p_f32x16 = _mm512_load_ps(s->p + t * MAX_QUERIES + i);
            _mm512_store_ps(p + t * MAX_QUERIES + i, _mm512_mul_ps(p_f32x16, scale_f32x16));
        }
        const int8_t *v = parts->v + t * s->a->head_dim + b * PI_BLOCK_INPUTS;
        pi_prefetch_ahead(v, block->ahead);
        for (size_t c = 0; c < PAIR_LINES; c++) {
            _mm512_store_ps(wide + t * PI_BLOCK_INPUTS + LANES * c, load_s8(v + LANES * c));
        }
    }
    pi_queries_add_values(s, p, wide, PI_BLOCK_INPUTS, b * PI_BLOCK_INPUTS, PAIR_LINES);
}

static void attend_many(const struct pi_attn_args *a, size_t query, size_t n) {
    struct across q;
    struct queries s;
    transpose_queries(&q, a, query, n);
    pi_queries_begin(&s, a, query, n);
    const size_t last = pi_min_size((size_t)a->limit[query + n - 1], a->last);
    for (size_t first = a->first; first < last; first += PI_KV_BLOCK_TOKENS) {
        const struct block block = pi_block_at(a, first);
        const struct parts parts = parts_of(a, &block);
        pi_queries_enter(&s, first);
        for (size_t tile = 0; tile < s.n_tiles; tile++) {
            score_tile(&s, &parts, tile, &q);
        }
        pi_queries_weigh(&s);
        for (size_t b = 0; b < parts.n; b++) {
            add_block_values(&s, &block, &parts, b);
        }
    }
    pi_queries_end(&s);
}

void pi_attn_kv_q8_0_avx512vnni(const struct pi_attn_args *a) {
    if (a->n_queries <= FEW || a->head_dim > MANY_HEAD_DIM) {
        EACH_FEW(a, attend_few);
        return;
    }
    EACH_MANY(a, attend_many);
}
