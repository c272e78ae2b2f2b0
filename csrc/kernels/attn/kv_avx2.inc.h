/* Template: attention over a paged cache on 256-bit registers; the steps of kv_scalar.inc.h.
 *
 * Parameters:
 *   NAME       exported symbol
 *   ELEMENT    stored element: uint16_t (f16) or float
 *   LOAD8      LOAD8(const ELEMENT *): 8 values as f32
 *
 * Tiles run in the outer loop, so K and V of a tile are read from memory once for all queries.
 * Queries that see the same tokens of the tile go in parts of up to 6: their scores are 12 registers
 * (16 tokens each) beside 2 of K and a broadcast, their outputs 12 registers (16 values each) beside
 * 2 of V and a broadcast. The sign of a maximum that is zero may differ from scalar. */
#include "kernels/util/x86_math256.h"
#include "pyinfer/kernel_types.h"

pi_attn_fn NAME;

#define MAX_PART 6

struct tile {
    const ELEMENT *k;
    const ELEMENT *v;
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
        const __m256 k_low = LOAD8(tile->k + d * PI_KV_TILE_TOKENS);
        const __m256 k_high = LOAD8(tile->k + d * PI_KV_TILE_TOKENS + 8);
        for (size_t i = 0; i < n; i++) {
            const __m256 q_f32x8 = _mm256_broadcast_ss(q + i * a->q_stride + d);
            score[i][0] = _mm256_fmadd_ps(q_f32x8, k_low, score[i][0]);
            score[i][1] = _mm256_fmadd_ps(q_f32x8, k_high, score[i][1]);
        }
    }
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    const __m256i count = _mm256_set1_epi32((int32_t)tile->n_visible);
    const __m256 visible[2] = {
        _mm256_castsi256_ps(_mm256_cmpgt_epi32(count, lane)),
        _mm256_castsi256_ps(
            _mm256_cmpgt_epi32(count, _mm256_add_epi32(lane, _mm256_set1_epi32(8)))),
    };
    for (size_t i = 0; i < n; i++) {
        /* A hidden score becomes the old maximum, which changes nothing; a NaN loses against it
         * as in the scalar comparison. */
        const float old = a->m[query + i];
        const __m256 old_f32x8 = _mm256_set1_ps(old);
        __m256 largest =
            _mm256_max_ps(_mm256_blendv_ps(old_f32x8, score[i][0], visible[0]), old_f32x8);
        largest = _mm256_max_ps(_mm256_blendv_ps(old_f32x8, score[i][1], visible[1]), largest);
        __m128 m = _mm_max_ps(_mm256_castps256_ps128(largest), _mm256_extractf128_ps(largest, 1));
        m = _mm_max_ps(m, _mm_movehl_ps(m, m));
        const float max = _mm_cvtss_f32(_mm_max_ss(m, _mm_movehdup_ps(m)));
        rescale[i] = pi_expf(old - max);
        float *l = a->l + (query + i) * PI_KV_TILE_TOKENS;
        for (size_t half = 0; half < 2; half++) {
            const __m256 e = _mm256_and_ps(
                pi_exp256(_mm256_sub_ps(score[i][half], _mm256_set1_ps(max))), visible[half]);
            _mm256_store_ps(p[i] + 8 * half, e);
            const __m256 kept =
                _mm256_mul_ps(_mm256_loadu_ps(l + 8 * half), _mm256_set1_ps(rescale[i]));
            _mm256_storeu_ps(l + 8 * half, _mm256_add_ps(kept, e));
        }
        a->m[query + i] = max;
    }
}

/* o = o * rescale + sum over visible tokens of p v. */
PI_INLINE void add_values(const struct pi_attn_args *a, size_t query, const size_t n,
                          const struct tile *tile, const float (*p)[PI_KV_TILE_TOKENS],
                          const float *rescale) {
    float *o = a->o + query * a->v_stride;
    for (size_t d = 0; d < a->v_stride; d += 16) {
        __m256 sum[MAX_PART][2];
        for (size_t i = 0; i < n; i++) {
            const __m256 factor = _mm256_set1_ps(rescale[i]);
            sum[i][0] = _mm256_mul_ps(_mm256_loadu_ps(o + i * a->v_stride + d), factor);
            sum[i][1] = _mm256_mul_ps(_mm256_loadu_ps(o + i * a->v_stride + d + 8), factor);
        }
        for (size_t t = 0; t < tile->n_visible; t++) {
            const __m256 v_low = LOAD8(tile->v + t * a->v_stride + d);
            const __m256 v_high = LOAD8(tile->v + t * a->v_stride + d + 8);
            for (size_t i = 0; i < n; i++) {
                const __m256 weight = _mm256_broadcast_ss(&p[i][t]);
                sum[i][0] = _mm256_fmadd_ps(weight, v_low, sum[i][0]);
                sum[i][1] = _mm256_fmadd_ps(weight, v_high, sum[i][1]);
            }
        }
        for (size_t i = 0; i < n; i++) {
            _mm256_storeu_ps(o + i * a->v_stride + d, sum[i][0]);
            _mm256_storeu_ps(o + i * a->v_stride + d + 8, sum[i][1]);
        }
    }
}

PI_INLINE void add_part(const struct pi_attn_args *a, size_t query, const size_t n,
                        const struct tile *tile) {
    float p[MAX_PART][PI_KV_TILE_TOKENS] PI_ALIGNED(32);
    float rescale[MAX_PART];
    weigh(a, query, n, tile, p, rescale);
    add_values(a, query, n, tile, (const float(*)[PI_KV_TILE_TOKENS])p, rescale);
}

/* Queries first .. last - 1 see the same tokens of the tile. */
static void add_tile(const struct pi_attn_args *a, size_t first, size_t last,
                     const struct tile *tile) {
    while (first < last) {
        /* Parts of equal length: 7 queries go as 4 + 3, not as 6 + 1. */
        const size_t n = pi_ceil_div(last - first, pi_ceil_div(last - first, MAX_PART));
        switch (n) {
        case 6: add_part(a, first, 6, tile); break;
        case 5: add_part(a, first, 5, tile); break;
        case 4: add_part(a, first, 4, tile); break;
        case 3: add_part(a, first, 3, tile); break;
        case 2: add_part(a, first, 2, tile); break;
        default: add_part(a, first, 1, tile); break;
        }
        first += n;
    }
}

static void clear_state(const struct pi_attn_args *a) {
    for (size_t i = 0; i < a->n_queries; i++) {
        a->m[i] = -INFINITY;
        memset(a->l + i * PI_KV_TILE_TOKENS, 0, PI_KV_TILE_TOKENS * sizeof *a->l);
        memset(a->o + i * a->v_stride, 0, a->v_stride * sizeof *a->o);
    }
}

static size_t visible_from(const struct pi_attn_args *a, size_t query, size_t k) {
    const size_t last = pi_min_size((size_t)a->limit[query], a->last);
    return last > k ? pi_min_size(last - k, PI_KV_TILE_TOKENS) : 0;
}

void NAME(const struct pi_attn_args *a) {
    clear_state(a);
    size_t query = 0; /* limits ascend: queries before this one see nothing more */
    for (size_t k = a->first; k < a->last; k += PI_KV_TILE_TOKENS) {
        const size_t block = (size_t)a->block_table[k / PI_KV_BLOCK_TOKENS];
        const ELEMENT *keys = (const ELEMENT *)(const void *)(a->kv + block * a->block_stride);
        const size_t slot = k % PI_KV_BLOCK_TOKENS;
        struct tile tile = {
            .k = keys + slot * a->head_dim,
            .v = keys + PI_KV_BLOCK_TOKENS * a->head_dim + slot * a->v_stride,
        };
        while (query < a->n_queries && visible_from(a, query, k) == 0) {
            query++;
        }
        for (size_t first = query; first < a->n_queries;) {
            tile.n_visible = visible_from(a, first, k);
            size_t last = first + 1;
            while (last < a->n_queries && visible_from(a, last, k) == tile.n_visible) {
                last++;
            }
            add_tile(a, first, last, &tile);
            first = last;
        }
    }
}

#undef MAX_PART
#undef NAME
#undef ELEMENT
#undef LOAD8
