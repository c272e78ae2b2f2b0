/* Template: attention over a paged cache, AVX-512. 16 cached tokens are one register of scores.
 *
 * Parameters:
 *   NAME       exported symbol
 *   ELEMENT    stored element: uint16_t (f16) or float
 *   LOAD16     LOAD16(const ELEMENT *): 16 values as f32
 *
 * Queries run in blocks of up to six: each K and V line is loaded (and widened) once for all of
 * them, scores are one chain per query, and six times four registers of output stay live over the 16
 * tokens of a tile. With more than one block per tile (prompts) the tile is widened once into L1. */
#include "kernels/util/x86_math512.h"
#include "pyinfer/kernel_types.h"

pi_attn_fn NAME;

#define BLOCK_QUERIES 6
#define OUTPUT_LANES 64 /* dimensions of o in registers at a time */
#define MAX_HEAD_DIM 512
#define TILE PI_KV_TILE_TOKENS

struct tile {
    const ELEMENT *k;             /* [head_dim][16] */
    const ELEMENT *v;             /* [16][v_stride] */
    const float *wide_k, *wide_v; /* the same widened, or NULL */
    size_t first;
};

PI_INLINE __m512 line_of(const ELEMENT *narrow, const float *wide, size_t i, bool widened) {
    return widened ? _mm512_loadu_ps(wide + i) : LOAD16(narrow + i);
}

/* p[query][16] = exp(score - maximum) over the visible tokens, 0 elsewhere; returns in rescale the
 * factor for what was summed before. */
PI_INLINE void softmax_block(const struct pi_attn_args *a, const struct tile *tile, size_t query,
                             size_t n, const size_t *visible, float *p, float *rescale,
                             bool widened) {
    const float *q = a->q + query * a->q_stride;
    __m512 score_f32x16[BLOCK_QUERIES];
    for (size_t i = 0; i < n; i++) {
        score_f32x16[i] = _mm512_setzero_ps();
    }
    for (size_t d = 0; d < a->head_dim; d++) {
        const __m512 k_f32x16 = line_of(tile->k, tile->wide_k, d * TILE, widened);
        for (size_t i = 0; i < n; i++) {
            score_f32x16[i] =
                _mm512_fmadd_ps(_mm512_set1_ps(q[i * a->q_stride + d]), k_f32x16, score_f32x16[i]);
        }
    }
    for (size_t i = 0; i < n; i++) {
        rescale[i] = 1.0f;
        if (visible[i] == 0) {
            continue;
        }
        const __mmask16 lanes = pi_first_lanes(visible[i]);
        const float before = a->m[query + i];
        /* A NaN score may hide from the maximum; it surfaces through its own exp. */
        float max = _mm512_mask_reduce_max_ps(lanes, score_f32x16[i]);
        max = max > before ? max : before;
        rescale[i] = pi_expf(before - max);
        a->m[query + i] = max;
        const __m512 p_f32x16 = _mm512_maskz_mov_ps(
            lanes, pi_exp512(_mm512_sub_ps(score_f32x16[i], _mm512_set1_ps(max))));
        _mm512_storeu_ps(p + i * TILE, p_f32x16);
        float *l = a->l + (query + i) * TILE;
        const __m512 scaled = _mm512_mul_ps(_mm512_loadu_ps(l), _mm512_set1_ps(rescale[i]));
        _mm512_storeu_ps(l, _mm512_mask_add_ps(scaled, lanes, scaled, p_f32x16));
    }
}

/* o = o * rescale + p * v for n_lines * 16 dimensions from d on, over the tokens that all n queries
 * of the block see. */
PI_INLINE void add_values(const struct pi_attn_args *a, const struct tile *tile, size_t query,
                          size_t n, size_t n_tokens, size_t d, size_t n_lines, const float *p,
                          const float *rescale, bool widened) {
    __m512 o_f32x16[BLOCK_QUERIES][OUTPUT_LANES / 16];
    float *o = a->o + query * a->v_stride + d;
    for (size_t i = 0; i < n; i++) {
        for (size_t c = 0; c < n_lines; c++) {
            o_f32x16[i][c] = _mm512_mul_ps(_mm512_loadu_ps(o + i * a->v_stride + 16 * c),
                                           _mm512_set1_ps(rescale[i]));
        }
    }
    for (size_t t = 0; t < n_tokens; t++) {
        __m512 v_f32x16[OUTPUT_LANES / 16];
        for (size_t c = 0; c < n_lines; c++) {
            v_f32x16[c] = line_of(tile->v, tile->wide_v, t * a->v_stride + d + 16 * c, widened);
        }
        for (size_t i = 0; i < n; i++) {
            const __m512 p_f32x16 = _mm512_set1_ps(p[i * TILE + t]);
            for (size_t c = 0; c < n_lines; c++) {
                o_f32x16[i][c] = _mm512_fmadd_ps(p_f32x16, v_f32x16[c], o_f32x16[i][c]);
            }
        }
    }
    for (size_t i = 0; i < n; i++) {
        for (size_t c = 0; c < n_lines; c++) {
            _mm512_storeu_ps(o + i * a->v_stride + 16 * c, o_f32x16[i][c]);
        }
    }
}

/* Tokens that only some queries of the block see: the diagonal of a prompt. */
PI_INLINE void add_own_values(const struct pi_attn_args *a, const struct tile *tile, size_t query,
                              size_t from, size_t to, const float *p, bool widened) {
    float *o = a->o + query * a->v_stride;
    for (size_t d = 0; d < a->v_stride; d += 16) {
        __m512 o_f32x16 = _mm512_loadu_ps(o + d);
        for (size_t t = from; t < to; t++) {
            o_f32x16 = _mm512_fmadd_ps(_mm512_set1_ps(p[t]),
                                       line_of(tile->v, tile->wide_v, t * a->v_stride + d, widened),
                                       o_f32x16);
        }
        _mm512_storeu_ps(o + d, o_f32x16);
    }
}

PI_INLINE void add_block(const struct pi_attn_args *a, const struct tile *tile, size_t query,
                         size_t n, bool widened) {
    float p[BLOCK_QUERIES * TILE];
    float rescale[BLOCK_QUERIES];
    size_t visible[BLOCK_QUERIES];
    for (size_t i = 0; i < n; i++) {
        const size_t last = pi_min_size((size_t)a->limit[query + i], a->last);
        visible[i] = last > tile->first ? pi_min_size(last - tile->first, TILE) : 0;
    }
    const size_t common = visible[0]; /* limits ascend */
    softmax_block(a, tile, query, n, visible, p, rescale, widened);
    size_t d = 0;
    for (; d + OUTPUT_LANES <= a->v_stride; d += OUTPUT_LANES) {
        add_values(a, tile, query, n, common, d, OUTPUT_LANES / 16, p, rescale, widened);
    }
    for (; d < a->v_stride; d += 16) {
        add_values(a, tile, query, n, common, d, 1, p, rescale, widened);
    }
    for (size_t i = 0; i < n; i++) {
        if (visible[i] > common) {
            add_own_values(a, tile, query + i, common, visible[i], p + i * TILE, widened);
        }
    }
}

#define EACH_QUERY_COUNT(widened)                                                                  \
    switch (n) {                                                                                   \
    case 1: add_block(a, tile, query, 1, widened); break;                                          \
    case 2: add_block(a, tile, query, 2, widened); break;                                          \
    case 3: add_block(a, tile, query, 3, widened); break;                                          \
    case 4: add_block(a, tile, query, 4, widened); break;                                          \
    case 5: add_block(a, tile, query, 5, widened); break;                                          \
    default: add_block(a, tile, query, 6, widened); break;                                         \
    }

static void add_stored(const struct pi_attn_args *a, const struct tile *tile, size_t query,
                       size_t n) {
    EACH_QUERY_COUNT(false)
}

static void add_widened(const struct pi_attn_args *a, const struct tile *tile, size_t query,
                        size_t n) {
    EACH_QUERY_COUNT(true)
}

static void widen(const ELEMENT *from, float *to, size_t n) {
    for (size_t i = 0; i < n; i += 16) {
        _mm512_store_ps(to + i, LOAD16(from + i));
    }
}

static void clear_state(const struct pi_attn_args *a) {
    for (size_t i = 0; i < a->n_queries; i++) {
        a->m[i] = -INFINITY;
        _mm512_storeu_ps(a->l + i * TILE, _mm512_setzero_ps());
        for (size_t d = 0; d < a->v_stride; d += 16) {
            _mm512_storeu_ps(a->o + i * a->v_stride + d, _mm512_setzero_ps());
        }
    }
}

void NAME(const struct pi_attn_args *a) {
    PI_ALIGNED(64) float wide_k[MAX_HEAD_DIM * TILE];
    PI_ALIGNED(64) float wide_v[MAX_HEAD_DIM * TILE];
    const size_t n_blocks = pi_ceil_div(a->n_queries, BLOCK_QUERIES);
    const bool widened =
        n_blocks > 1 && sizeof(ELEMENT) < sizeof(float) && a->v_stride <= MAX_HEAD_DIM;
    clear_state(a);
    for (size_t first = a->first; first < a->last; first += TILE) {
        const size_t block = (size_t)a->block_table[first / PI_KV_BLOCK_TOKENS];
        const size_t slot = first % PI_KV_BLOCK_TOKENS;
        const ELEMENT *keys = (const ELEMENT *)(const void *)(a->kv + block * a->block_stride);
        struct tile tile = {
            .k = keys + slot * a->head_dim,
            .v = keys + PI_KV_BLOCK_TOKENS * a->head_dim + slot * a->v_stride,
            .first = first,
        };
        if (widened) {
            widen(tile.k, wide_k, TILE * a->head_dim);
            widen(tile.v, wide_v, TILE * a->v_stride);
            tile.wide_k = wide_k;
            tile.wide_v = wide_v;
        }
        for (size_t i = 0; i < n_blocks; i++) { /* blocks of nearly equal size */
            const size_t query = a->n_queries * i / n_blocks;
            (widened ? add_widened : add_stored)(a, &tile, query,
                                                 a->n_queries * (i + 1) / n_blocks - query);
        }
    }
}

#undef NAME
#undef ELEMENT
#undef LOAD16
#undef BLOCK_QUERIES
#undef OUTPUT_LANES
#undef MAX_HEAD_DIM
#undef TILE
#undef EACH_QUERY_COUNT
