/* Appends one token to the f32 cache of one kv head: a column of its K tile, a row of V. */
#include "pyinfer/kernel_types.h"

pi_kv_append_fn pi_kv_append_f32_scalar;

void pi_kv_append_f32_scalar(uint8_t *block, const float *k, const float *v, size_t slot,
                             size_t head_dim, size_t v_stride) {
    const size_t tile = slot / PI_KV_TILE_TOKENS;
    float *keys = (float *)(void *)block;
    float *column = keys + tile * PI_KV_TILE_TOKENS * head_dim + slot % PI_KV_TILE_TOKENS;
    float *row = keys + PI_KV_BLOCK_TOKENS * head_dim + slot * v_stride;
    for (size_t d = 0; d < head_dim; d++) {
        column[d * PI_KV_TILE_TOKENS] = k[d];
        row[d] = v[d];
    }
    for (size_t d = head_dim; d < v_stride; d++) {
        row[d] = 0.0f;
    }
}
