/* Appends one token to the f16 cache of one kv head with vector conversions. */
#include "kernels/util/arm_math.h"
#include "pyinfer/kernel_types.h"

pi_kv_append_fn pi_kv_append_f16_neon;

void pi_kv_append_f16_neon(uint8_t *block, const float *k, const float *v, size_t slot,
                           size_t head_dim, size_t v_stride) {
    const size_t tile = slot / PI_KV_TILE_TOKENS;
    uint16_t *keys = (uint16_t *)(void *)block;
    uint16_t *column = keys + tile * PI_KV_TILE_TOKENS * head_dim + slot % PI_KV_TILE_TOKENS;
    uint16_t *row = keys + PI_KV_BLOCK_TOKENS * head_dim + slot * v_stride;
    size_t d = 0;
    for (; d + 4 <= head_dim; d += 4) {
        uint16_t half[4];
        pi_store_f16_128(half, vld1q_f32(k + d));
        for (size_t i = 0; i < 4; i++) {
            column[(d + i) * PI_KV_TILE_TOKENS] = half[i];
        }
        pi_store_f16_128(row + d, vld1q_f32(v + d));
    }
    for (; d < head_dim; d++) {
        column[d * PI_KV_TILE_TOKENS] = pi_f32_to_f16(k[d]);
        row[d] = pi_f32_to_f16(v[d]);
    }
    for (; d < v_stride; d++) {
        row[d] = 0;
    }
}
