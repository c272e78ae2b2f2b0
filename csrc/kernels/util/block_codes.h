/* Codes and scales of file blocks, one byte per code in the order of the inputs: what several formats
 * share. */
#ifndef PYINFER_KERNELS_UTIL_BLOCK_CODES_H
#define PYINFER_KERNELS_UTIL_BLOCK_CODES_H

#include "pyinfer/types.h"
#include <string.h>

/* 32 nibbles: input i is low in byte i, input 16 + i high. */
PI_INLINE void pi_get_nibbles(uint8_t *code, const uint8_t *qs) {
    for (size_t i = 0; i < 16; i++) {
        code[i] = qs[i] & 15;
        code[16 + i] = qs[i] >> 4;
    }
}
PI_INLINE void pi_set_nibbles(uint8_t *qs, const uint8_t *code) {
    for (size_t i = 0; i < 16; i++) {
        qs[i] = (uint8_t)((code[i] & 15) | (code[16 + i] & 15) << 4);
    }
}

/* 32 codes of five bits: nibbles and one bit per input. */
PI_INLINE void pi_get_codes5(uint8_t *code, const uint8_t *qs, const uint8_t *qh) {
    pi_get_nibbles(code, qs);
    for (size_t i = 0; i < 32; i++) {
        code[i] = (uint8_t)(code[i] | (qh[i / 8] >> i % 8 & 1) << 4);
    }
}
PI_INLINE void pi_set_codes5(uint8_t *qs, uint8_t *qh, const uint8_t *code) {
    pi_set_nibbles(qs, code);
    memset(qh, 0, 4);
    for (size_t i = 0; i < 32; i++) {
        qh[i / 8] = (uint8_t)(qh[i / 8] | (code[i] >> 4 & 1) << i % 8);
    }
}

/* 256 pairs of bits, of q2_k and q3_k; `shift` is where they stand in a code. */
PI_INLINE void pi_get_pairs(uint8_t *code, const uint8_t *qs) {
    for (size_t i = 0; i < PI_SUPER_INPUTS; i++) {
        code[i] = qs[i / 128 * 32 + i % 32] >> i % 128 / 32 * 2 & 3;
    }
}
PI_INLINE void pi_set_pairs(uint8_t *qs, const uint8_t *code, size_t shift) {
    memset(qs, 0, 64);
    for (size_t i = 0; i < PI_SUPER_INPUTS; i++) {
        uint8_t *q = qs + i / 128 * 32 + i % 32;
        *q = (uint8_t)(*q | (code[i] >> shift & 3) << i % 128 / 32 * 2);
    }
}

/* 256 bits, bit i / 32 of byte i % 32, of q3_k and q5_k. */
PI_INLINE void pi_add_bits(uint8_t *code, const uint8_t *qh, size_t shift) {
    for (size_t i = 0; i < PI_SUPER_INPUTS; i++) {
        code[i] = (uint8_t)(code[i] | (qh[i % 32] >> i / 32 & 1) << shift);
    }
}
PI_INLINE void pi_set_bits(uint8_t *qh, const uint8_t *code, size_t shift) {
    memset(qh, 0, 32);
    for (size_t i = 0; i < PI_SUPER_INPUTS; i++) {
        qh[i % 32] = (uint8_t)(qh[i % 32] | (code[i] >> shift & 1) << i / 32);
    }
}

/* 256 nibbles of q4_k and q5_k: 64 inputs in 32 bytes. */
PI_INLINE void pi_get_nibbles_k(uint8_t *code, const uint8_t *qs) {
    for (size_t i = 0; i < PI_SUPER_INPUTS; i++) {
        code[i] = qs[i / 64 * 32 + i % 32] >> i % 64 / 32 * 4 & 15;
    }
}
PI_INLINE void pi_set_nibbles_k(uint8_t *qs, const uint8_t *code) {
    for (size_t i = 0; i < PI_SUPER_INPUTS / 2; i++) {
        const uint8_t *c = code + i / 32 * 64 + i % 32;
        qs[i] = (uint8_t)((c[0] & 15) | (c[32] & 15) << 4);
    }
}

/* Scale and minimum, six bits each, of block b (0..7) of q4_k and q5_k. The first four have their
 * own bytes; the others put four bits into bytes 8..11 and two on top of the first eight. */
PI_INLINE unsigned pi_scale_k4(const uint8_t *scales, size_t b) {
    return b < 4 ? scales[b] & 63u : (scales[b + 4] & 15u) | (unsigned)scales[b - 4] >> 6 << 4;
}
PI_INLINE unsigned pi_min_k4(const uint8_t *scales, size_t b) {
    return b < 4 ? scales[b + 4] & 63u
                 : (unsigned)scales[b + 4] >> 4 | (unsigned)scales[b] >> 6 << 4;
}
PI_INLINE void pi_set_scales_k4(uint8_t *scales, const uint8_t *scale, const uint8_t *min) {
    for (size_t b = 0; b < 4; b++) {
        scales[b] = (uint8_t)(scale[b] | (scale[b + 4] >> 4) << 6);
        scales[b + 4] = (uint8_t)(min[b] | (min[b + 4] >> 4) << 6);
        scales[b + 8] = (uint8_t)((scale[b + 4] & 15) | (min[b + 4] & 15) << 4);
    }
}

#endif
