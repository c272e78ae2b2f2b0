/* Template: attention over a q8_0 cache on 128-bit registers; the steps of kv_q8_0_scalar.c. */
#include "kernels/attn/kv_q8_0.h"
#include "kernels/attn/parts_neon.h"

#ifndef PARAM_KERNEL
#error "attn/kv_q8_0_neon.inc.h needs PARAM_KERNEL"
#endif
#ifndef PARAM_DOT
#error "attn/kv_q8_0_neon.inc.h needs PARAM_DOT"
#endif

pi_attn_fn PARAM_KERNEL;

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
PI_INLINE void dot_block(int32x4_t (*sum)[QUADS], const struct pi_a8_group *q, size_t q_stride,
                         size_t n, const uint8_t *k, size_t b) {
    for (size_t i = 0; i < n; i++) {
        for (size_t quad = 0; quad < QUADS; quad++) {
            sum[i][quad] = vdupq_n_s32(0);
        }
    }
    PI_UNROLL(8)
    for (size_t chunk = 0; chunk < CHUNKS; chunk++) {
        for (size_t quad = 0; quad < QUADS; quad++) {
            const uint8x16_t bytes = vld1q_u8(k + chunk * PI_LINE_BYTES + 16 * quad);
            const int8x16_t k_s8x16 = vreinterpretq_s8_u8(veorq_u8(bytes, vdupq_n_u8(0x80)));
            for (size_t i = 0; i < n; i++) {
                const int8_t *from = q[i * q_stride].q + b % 4 * PI_BLOCK_INPUTS + chunk / 4 * 16;
                sum[i][quad] = PARAM_DOT(sum[i][quad], k_s8x16, vld1q_s8(from), chunk % 4);
            }
        }
    }
}

PI_INLINE void weigh(const struct pi_attn_args *a, size_t query, const size_t n,
                     const struct tile *tile, float (*p)[PI_KV_TILE_TOKENS], float *rescale) {
    float32x4_t score[MAX_PART][QUADS];
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < QUADS; k++) {
            score[i][k] = vdupq_n_f32(0.0f);
        }
    }
    for (size_t b = 0; b < a->head_dim / PI_BLOCK_INPUTS; b++) {
        const struct pi_a8_group *q = a->q8 + query * a->q8_stride + b / 4;
        float32x4_t k_scale[QUADS];
        int32x4_t sum[MAX_PART][QUADS];
        pi_load16_f16_128(tile->k_scales + b * PI_KV_TILE_TOKENS, k_scale);
        dot_block(sum, q, a->q8_stride, n, tile->k + b * CHUNKS * PI_LINE_BYTES, b);
        for (size_t i = 0; i < n; i++) {
            for (size_t k = 0; k < QUADS; k++) {
                const float32x4_t scale = vmulq_n_f32(k_scale[k], q[i * a->q8_stride].scale[b % 4]);
                score[i][k] = vfmaq_f32(score[i][k], vcvtq_f32_s32(sum[i][k]), scale);
            }
        }
    }
    pi_weigh_part(a, query, n, tile->n_visible, score, p, rescale);
}

PI_INLINE void load16_s8(const int8_t *v, float32x4_t *to) {
    const int8x16_t bytes = vld1q_s8(v);
    const int16x8_t low = vmovl_s8(vget_low_s8(bytes));
    const int16x8_t high = vmovl_high_s8(bytes);
    to[0] = vcvtq_f32_s32(vmovl_s16(vget_low_s16(low)));
    to[1] = vcvtq_f32_s32(vmovl_high_s16(low));
    to[2] = vcvtq_f32_s32(vmovl_s16(vget_low_s16(high)));
    to[3] = vcvtq_f32_s32(vmovl_high_s16(high));
}

/* o = o * rescale + sum over visible tokens of (p * scale) v. */
PI_INLINE void add_values(const struct pi_attn_args *a, size_t query, const size_t n,
                          const struct tile *tile, const float (*p)[PI_KV_TILE_TOKENS],
                          const float *rescale) {
    float *o = a->o + query * a->v_stride;
    for (size_t d = 0; d < a->head_dim; d += 16) {
        float scaled[MAX_PART][PI_KV_TILE_TOKENS];
        float32x4_t v_scale[QUADS];
        float32x4_t sum[MAX_PART][QUADS];
        pi_load16_f16_128(tile->v_scales + d / PI_BLOCK_INPUTS * PI_KV_TILE_TOKENS, v_scale);
        for (size_t i = 0; i < n; i++) {
            for (size_t k = 0; k < QUADS; k++) {
                vst1q_f32(scaled[i] + 4 * k, vmulq_f32(vld1q_f32(p[i] + 4 * k), v_scale[k]));
            }
        }
        pi_load_sums(o + d, a->v_stride, n, rescale, sum);
        for (size_t t = 0; t < tile->n_visible; t++) {
            float32x4_t values[QUADS];
            load16_s8(tile->v + t * a->head_dim + d, values);
            pi_add_token((const float(*)[PI_KV_TILE_TOKENS])scaled, t, n, values, sum);
        }
        pi_store_sums(o + d, a->v_stride, n, sum);
    }
}

PI_INLINE void add_part(const struct pi_attn_args *a, size_t query, const size_t n,
                        const struct tile *tile) {
    float p[MAX_PART][PI_KV_TILE_TOKENS];
    float rescale[MAX_PART];
    weigh(a, query, n, tile, p, rescale);
    add_values(a, query, n, tile, (const float(*)[PI_KV_TILE_TOKENS])p, rescale);
}

void PARAM_KERNEL(const struct pi_attn_args *a) {
    pi_clear_parts(a);
    size_t query = 0;
    for (size_t k = a->first; k < a->last; k += PI_KV_TILE_TOKENS) {
        struct tile tile = tile_at(a, k);
        EACH_PART(a, query, k, tile, add_part);
    }
}

#undef CHUNKS
#include "kernels/undef_params.h"
