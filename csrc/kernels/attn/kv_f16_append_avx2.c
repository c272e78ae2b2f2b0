/* Appends one token to the f16 cache of one kv head with F16C conversions. */
#include "kernels/util/x86_math256.h"
#include "pyinfer/kernel_types.h"

pi_kv_append_fn pi_kv_append_f16_avx2;

void pi_kv_append_f16_avx2(uint8_t *block, const float *k, const float *v, size_t slot,
                           size_t head_dim, size_t v_stride) {
    const size_t tile = slot / PI_KV_TILE_TOKENS;
    uint16_t *keys = (uint16_t *)(void *)block;
    uint16_t *column = keys + tile * PI_KV_TILE_TOKENS * head_dim + slot % PI_KV_TILE_TOKENS;
    uint16_t *row = keys + PI_KV_BLOCK_TOKENS * head_dim + slot * v_stride;
    size_t d = 0;
    for (; d + 8 <= head_dim; d += 8) {
        uint16_t half[8];
        pi_store_f16_256(half, _mm256_loadu_ps(k + d));
        for (size_t i = 0; i < 8; i++) {
            column[(d + i) * PI_KV_TILE_TOKENS] = half[i];
        }
        pi_store_f16_256(row + d, _mm256_loadu_ps(v + d));
    }
    for (; d < head_dim; d++) {
        column[d * PI_KV_TILE_TOKENS] = pi_f32_to_f16(k[d]);
        row[d] = pi_f32_to_f16(v[d]);
    }
    for (; d < v_stride; d++) {
        row[d] = 0;
    }
}
