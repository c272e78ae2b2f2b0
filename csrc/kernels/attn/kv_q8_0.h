/* One block (64 tokens) of the q8_0 cache of one kv head of K = 32 n values:
 *
 *   scales of K   f16 [tile][n][16 tokens]
 *   K             s8 ^ 0x80 [tile][n][8][16 tokens][4]: a tile is a q8_0 panel with tokens as rows
 *   scales of V   f16 [tile][n][16 tokens]
 *   V             s8 [64 tokens][K]
 */
#ifndef PYINFER_KERNELS_ATTN_KV_Q8_0_H
#define PYINFER_KERNELS_ATTN_KV_Q8_0_H

#include "kernels/util/f16.h"
#include "pyinfer/kernel_types.h"

struct pi_kv_q8_0_layout {
    size_t n;                         /* blocks of 32 values */
    size_t k, v_scales, v;            /* bytes from the start; the scales of K are first */
    size_t tile_scales, tile_k_bytes; /* per tile: scales (both of K and V), bytes of K */
};

PI_INLINE struct pi_kv_q8_0_layout pi_kv_q8_0_layout(size_t head_dim) {
    const size_t n = head_dim / PI_BLOCK_INPUTS;
    const size_t scales = PI_KV_BLOCK_TOKENS * n * sizeof(uint16_t);
    const size_t values = PI_KV_BLOCK_TOKENS * head_dim;
    return (struct pi_kv_q8_0_layout){
        .n = n,
        .k = scales,
        .v_scales = scales + values,
        .v = 2 * scales + values,
        .tile_scales = n * PI_KV_TILE_TOKENS,
        .tile_k_bytes = PI_KV_TILE_TOKENS * head_dim,
    };
}

/* Byte of value d of a token within the K of its tile. */
PI_INLINE size_t pi_kv_q8_0_k_index(size_t d, size_t token) {
    return d / 4 * PI_LINE_BYTES + token * 4 + d % 4;
}

#endif
