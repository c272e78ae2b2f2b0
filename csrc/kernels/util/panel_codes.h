/* Codes of one row of a packed block: what the panels of several formats share. */
#ifndef PYINFER_KERNELS_UTIL_PANEL_CODES_H
#define PYINFER_KERNELS_UTIL_PANEL_CODES_H

#include "kernels/util/block_codes.h"
#include "kernels/util/f16.h"
#include "pyinfer/panels.h"

/* Input i of a block of 32: a nibble of four lines, a bit of one, a pair of bits of two. */
PI_INLINE unsigned pi_panel_nibble(const pi_line *q, size_t i, size_t row) {
    return (unsigned)q[i / 4 % 4][row][i % 4] >> i / 16 * 4 & 15u;
}
PI_INLINE unsigned pi_panel_bit(const pi_line high, size_t i, size_t row) {
    return (unsigned)high[row][i % 4] >> i / 4 & 1u;
}
PI_INLINE unsigned pi_panel_pair(const pi_line *q, size_t i, size_t row) {
    return (unsigned)q[i / 16][row][i % 4] >> i / 4 % 4 * 2 & 3u;
}

PI_INLINE void pi_panel_set_nibbles(pi_line *q, size_t row, const uint8_t *code) {
    for (size_t i = 0; i < 16; i++) {
        q[i / 4][row][i % 4] = (uint8_t)((code[i] & 15) | (code[16 + i] & 15) << 4);
    }
}
PI_INLINE void pi_panel_set_bits(pi_line high, size_t row, const uint8_t *code) {
    memset(high[row], 0, 4);
    for (size_t i = 0; i < 32; i++) {
        high[row][i % 4] = (uint8_t)(high[row][i % 4] | (code[i] >> 4 & 1) << i / 4);
    }
}
/* `shift`: where the pair stands in a code. */
PI_INLINE void pi_panel_set_pairs(pi_line *q, size_t row, const uint8_t *code, size_t shift) {
    memset(q[0][row], 0, 4);
    memset(q[1][row], 0, 4);
    for (size_t i = 0; i < 32; i++) {
        uint8_t *byte = &q[i / 16][row][i % 4];
        *byte = (uint8_t)(*byte | (code[i] >> shift & 3) << i / 4 % 4 * 2);
    }
}

/* The twelve scale bytes of a row of q4_k and q5_k, and a scale and a minimum of them. */
PI_INLINE void pi_panel_scales_k4(uint8_t *scales, const pi_line *lines, size_t row) {
    for (size_t i = 0; i < 3; i++) {
        memcpy(scales + 4 * i, lines[i][row], 4);
    }
}
PI_INLINE void pi_panel_set_scales_k4(pi_line *lines, size_t row, const uint8_t *scales) {
    for (size_t i = 0; i < 3; i++) {
        memcpy(lines[i][row], scales + 4 * i, 4);
    }
}
PI_INLINE float pi_scale_of_k4(uint16_t d, const pi_line *lines, size_t part, size_t row) {
    uint8_t scales[12];
    pi_panel_scales_k4(scales, lines, row);
    return pi_f16_to_f32(d) * (float)pi_scale_k4(scales, part);
}
PI_INLINE float pi_min_of_k4(uint16_t dmin, const pi_line *lines, size_t part, size_t row) {
    uint8_t scales[12];
    pi_panel_scales_k4(scales, lines, row);
    return -(pi_f16_to_f32(dmin) * (float)pi_min_k4(scales, part));
}

#endif
