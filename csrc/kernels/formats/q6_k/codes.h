/* Codes of a q6_k file block, one byte each in the order of the inputs. */
#ifndef PYINFER_KERNELS_FORMATS_Q6_K_CODES_H
#define PYINFER_KERNELS_FORMATS_Q6_K_CODES_H

#include "kernels/formats/q6_k/layout.h"
#include "kernels/util/block_codes.h"

PI_INLINE void pi_get_codes6(uint8_t *code, const struct pi_block_q6_k *block) {
    pi_get_pairs(code, block->qh);
    for (size_t i = 0; i < PI_SUPER_INPUTS; i++) {
        const uint8_t low = block->ql[i / 128 * 64 + i % 64] >> i % 128 / 64 * 4 & 15;
        code[i] = (uint8_t)(code[i] << 4 | low);
    }
}
PI_INLINE void pi_set_codes6(struct pi_block_q6_k *block, const uint8_t *code) {
    pi_set_pairs(block->qh, code, 4);
    for (size_t i = 0; i < PI_SUPER_INPUTS / 2; i++) {
        const uint8_t *c = code + i / 64 * 128 + i % 64;
        block->ql[i] = (uint8_t)((c[0] & 15) | (c[64] & 15) << 4);
    }
}

#endif
