/* Attention over a q8_0 cache on 256-bit registers; the steps of kv_q8_0_scalar.c.
 *
 * Bytes of K are signed again and multiplied as |k| x (q with the sign of k): pairs stay below
 * 2 * 127 * 127 < 2^15, so maddubs does not saturate. */
#include "kernels/attn/kv_q8_0.h"
#include "kernels/attn/parts_avx2.h"

pi_attn_fn pi_attn_kv_q8_0_avx2;

#define CHUNKS 8 /* lines of K per 32 values */

struct tile {
    const uint16_t *k_scales, *v_scales; /* [n][16] */
    const uint8_t *k;                    /* [n][8][16][4] */
    const int8_t *v;                     /* [16][head_dim] */
    size_t n_visible;                    /* 1..16 */
};

static struct tile tile_at(const struct pi_attn_args *a, size_t token) {
    const struct pi_kv_q8_0_layout at = pi_kv_q8_0_layout(a->head_dim);
    const uint8_t *block =
        a->kv + (size_t)a->block_table[token / PI_KV_BLOCK_TOKENS] * a->block_stride;
    const size_t tile = token % PI_KV_BLOCK_TOKENS / PI_KV_TILE_TOKENS;
    return (struct tile){
        .k_scales = (const uint16_t *)(const void *)block + tile * at.tile_scales,
        .v_scales = (const uint16_t *)(const void *)(block + at.v_scales) + tile * at.tile_scales,
        .k = block + at.k + tile * at.tile_k_bytes,
        .v = (const int8_t *)block + at.v + tile * at.tile_k_bytes,
    };
}

/* Exact dot products of 32 values of 16 tokens with each of n queries. */
PI_INLINE void dot_block(__m256i (*sum)[2], const struct pi_a8_group *q, size_t q_stride, size_t n,
                         const uint8_t *k, size_t b) {
    const __m256i ones = _mm256_set1_epi16(1);
    for (size_t i = 0; i < n; i++) {
        sum[i][0] = sum[i][1] = _mm256_setzero_si256();
    }
    for (size_t chunk = 0; chunk < CHUNKS; chunk++) {
        for (size_t half = 0; half < 2; half++) {
            const __m256i bytes = _mm256_loadu_si256(
                (const __m256i *)(const void *)(k + chunk * PI_LINE_BYTES + 32 * half));
            const __m256i k_s8x32 = _mm256_xor_si256(bytes, _mm256_set1_epi8((char)0x80));
            const __m256i size_u8x32 = _mm256_abs_epi8(k_s8x32);
            for (size_t i = 0; i < n; i++) {
                int32_t four;
                memcpy(&four, q[i * q_stride].q + b % 4 * PI_BLOCK_INPUTS + 4 * chunk, 4);
                const __m256i q_s8x32 = _mm256_sign_epi8(_mm256_set1_epi32(four), k_s8x32);
                const __m256i pairs = _mm256_maddubs_epi16(size_u8x32, q_s8x32);
                sum[i][half] = _mm256_add_epi32(sum[i][half], _mm256_madd_epi16(pairs, ones));
            }
        }
    }
}

PI_INLINE void weigh(const struct pi_attn_args *a, size_t query, const size_t n,
                     const struct tile *tile, float (*p)[PI_KV_TILE_TOKENS], float *rescale) {
    __m256 score[MAX_PART][2];
    for (size_t i = 0; i < n; i++) {
        score[i][0] = score[i][1] = _mm256_setzero_ps();
    }
    for (size_t b = 0; b < a->head_dim / PI_BLOCK_INPUTS; b++) {
        const struct pi_a8_group *q = a->q8 + query * a->q8_stride + b / 4;
        const uint16_t *scales = tile->k_scales + b * PI_KV_TILE_TOKENS;
        __m256i sum[MAX_PART][2];
        dot_block(sum, q, a->q8_stride, n, tile->k + b * CHUNKS * PI_LINE_BYTES, b);
        for (size_t i = 0; i < n; i++) {
            const __m256 q_scale = _mm256_set1_ps(q[i * a->q8_stride].scale[b % 4]);
            for (size_t half = 0; half < 2; half++) {
                const __m256 scale = _mm256_mul_ps(pi_load_f16_256(scales + 8 * half), q_scale);
                score[i][half] =
                    _mm256_fmadd_ps(_mm256_cvtepi32_ps(sum[i][half]), scale, score[i][half]);
            }
        }
    }
    pi_weigh_part(a, query, n, tile->n_visible, score, p, rescale);
}

PI_INLINE __m256 load_s8(const int8_t *v) {
    return _mm256_cvtepi32_ps(
        _mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)v)));
}

/* o = o * rescale + sum over visible tokens of (p * scale) v. */
PI_INLINE void add_values(const struct pi_attn_args *a, size_t query, const size_t n,
                          const struct tile *tile, const float (*p)[PI_KV_TILE_TOKENS],
                          const float *rescale) {
    float *o = a->o + query * a->v_stride;
    for (size_t d = 0; d < a->head_dim; d += 16) {
        const uint16_t *scales = tile->v_scales + d / PI_BLOCK_INPUTS * PI_KV_TILE_TOKENS;
        float scaled[MAX_PART][PI_KV_TILE_TOKENS] PI_ALIGNED(32);
        __m256 sum[MAX_PART][2];
        for (size_t i = 0; i < n; i++) {
            for (size_t half = 0; half < 2; half++) {
                _mm256_store_ps(scaled[i] + 8 * half,
                                _mm256_mul_ps(_mm256_load_ps(p[i] + 8 * half),
                                              pi_load_f16_256(scales + 8 * half)));
            }
        }
        pi_load_sums(o + d, a->v_stride, n, rescale, sum);
        for (size_t t = 0; t < tile->n_visible; t++) {
            const int8_t *v = tile->v + t * a->head_dim + d;
            pi_add_token((const float(*)[PI_KV_TILE_TOKENS])scaled, t, n, load_s8(v),
                         load_s8(v + 8), sum);
        }
        pi_store_sums(o + d, a->v_stride, n, sum);
    }
}

PI_INLINE void add_part(const struct pi_attn_args *a, size_t query, const size_t n,
                        const struct tile *tile) {
    float p[MAX_PART][PI_KV_TILE_TOKENS] PI_ALIGNED(32);
    float rescale[MAX_PART];
    weigh(a, query, n, tile, p, rescale);
    add_values(a, query, n, tile, (const float(*)[PI_KV_TILE_TOKENS])p, rescale);
}

void pi_attn_kv_q8_0_avx2(const struct pi_attn_args *a) {
    pi_clear_parts(a);
    size_t query = 0;
    for (size_t k = a->first; k < a->last; k += PI_KV_TILE_TOKENS) {
        struct tile tile = tile_at(a, k);
        EACH_PART(a, query, k, tile, add_part);
    }
}
