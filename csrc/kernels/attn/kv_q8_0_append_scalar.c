/* Appends one token to the q8_0 cache of one kv head. Per 32 values: q = rint(x * (127 / amax)), scale
 * f16(amax / 127). amax < 2^-100 gives zeros; Inf or NaN makes the scale NaN, which surfaces in every
 * output that uses it. */
#include "kernels/attn/kv_q8_0.h"
#include <math.h>

pi_kv_append_fn pi_kv_append_q8_0_scalar;

#define AMAX_MIN_BITS 0x0d800000u /* 2^-100 */
#define INF_BITS 0x7f800000u
#define NAN_F16 0x7e00u

/* Returns the scale. */
static uint16_t quantize(int8_t q[PI_BLOCK_INPUTS], const float *x) {
    uint32_t amax_bits = 0;
    for (size_t i = 0; i < PI_BLOCK_INPUTS; i++) {
        const uint32_t magnitude = pi_f32_to_bits(x[i]) & 0x7fffffffu;
        amax_bits = magnitude > amax_bits ? magnitude : amax_bits;
    }
    const bool usable = amax_bits >= AMAX_MIN_BITS && amax_bits < INF_BITS;
    const float amax = usable ? pi_bits_to_f32(amax_bits) : 0.0f;
    const float inverse = usable ? 127.0f / amax : 0.0f;
    for (size_t i = 0; i < PI_BLOCK_INPUTS; i++) {
        q[i] = usable ? (int8_t)rintf(x[i] * inverse) : 0;
    }
    return amax_bits >= INF_BITS ? NAN_F16 : pi_f32_to_f16(amax / 127.0f);
}

void pi_kv_append_q8_0_scalar(uint8_t *block, const float *k, const float *v, size_t slot,
                              size_t head_dim, size_t v_stride) {
    (void)v_stride;
    const struct pi_kv_q8_0_layout at = pi_kv_q8_0_layout(head_dim);
    const size_t tile = slot / PI_KV_TILE_TOKENS;
    const size_t token = slot % PI_KV_TILE_TOKENS;
    uint16_t *k_scale = (uint16_t *)(void *)block + tile * at.tile_scales + token;
    uint16_t *v_scale = (uint16_t *)(void *)(block + at.v_scales) + tile * at.tile_scales + token;
    uint8_t *k_tile = block + at.k + tile * at.tile_k_bytes;
    uint8_t *v_row = block + at.v + slot * head_dim;
    int8_t q[PI_BLOCK_INPUTS];
    for (size_t d = 0; d < head_dim; d += PI_BLOCK_INPUTS) {
        const size_t scale = d / PI_BLOCK_INPUTS * PI_KV_TILE_TOKENS;
        k_scale[scale] = quantize(q, k + d);
        for (size_t i = 0; i < PI_BLOCK_INPUTS; i++) {
            k_tile[pi_kv_q8_0_k_index(d + i, token)] = (uint8_t)q[i] ^ 0x80u;
        }
        v_scale[scale] = quantize((int8_t *)v_row + d, v + d);
    }
}
