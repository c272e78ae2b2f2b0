/* Appends one token to the f16 cache of one kv head: a column of its K tile, a row of V. */
#include "kernels/util/f16.h"
#include "pyinfer/kernel_types.h"

pi_kv_append_fn pi_kv_append_f16_scalar;

void pi_kv_append_f16_scalar(uint8_t *block, const float *k, const float *v, size_t slot,
                             size_t head_dim, size_t v_stride) {
    const size_t tile = slot / PI_KV_TILE_TOKENS;
    uint16_t *keys = (uint16_t *)(void *)block;
    uint16_t *column = keys + tile * PI_KV_TILE_TOKENS * head_dim + slot % PI_KV_TILE_TOKENS;
    uint16_t *row = keys + PI_KV_BLOCK_TOKENS * head_dim + slot * v_stride;
    for (size_t d = 0; d < head_dim; d++) {
        column[d * PI_KV_TILE_TOKENS] = pi_f32_to_f16(k[d]);
        row[d] = pi_f32_to_f16(v[d]);
    }
    for (size_t d = head_dim; d < v_stride; d++) {
        row[d] = 0;
    }
}
