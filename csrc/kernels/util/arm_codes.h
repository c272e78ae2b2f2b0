/* Codes of packed lines as signed bytes: 16 bytes are four inputs of four rows, a quad of a line. */
#ifndef PYINFER_KERNELS_UTIL_ARM_CODES_H
#define PYINFER_KERNELS_UTIL_ARM_CODES_H

#include "kernels/util/arm_math.h"
#include "pyinfer/panels.h"

PI_INLINE uint8x16_t pi_load_quad(const pi_line line, size_t quad) {
    return vld1q_u8(line[4 * quad]);
}

/* The shift has to be a constant of the language; after inlining it is one. */
PI_INLINE uint8x16_t pi_shift_right(uint8x16_t x, size_t n) {
    switch (n) {
    case 0: return x;
    case 1: return vshrq_n_u8(x, 1);
    case 2: return vshrq_n_u8(x, 2);
    case 3: return vshrq_n_u8(x, 3);
    case 4: return vshrq_n_u8(x, 4);
    case 5: return vshrq_n_u8(x, 5);
    case 6: return vshrq_n_u8(x, 6);
    default: return vshrq_n_u8(x, 7);
    }
}

PI_INLINE uint8x16x2_t pi_nibbles_of(uint8x16_t line) {
    return (uint8x16x2_t){{vandq_u8(line, vdupq_n_u8(15)), vshrq_n_u8(line, 4)}};
}

/* Bit `from` of every byte as 16, for codes of five bits. */
PI_INLINE uint8x16_t pi_fifth_bit(uint8x16_t high, size_t from) {
    const uint8x16_t bit = from == 4  ? high
                           : from < 4 ? vshlq_u8(high, vdupq_n_s8((int8_t)(4 - from)))
                                      : pi_shift_right(high, from - 4);
    return vandq_u8(bit, vdupq_n_u8(16));
}

PI_INLINE uint8x16_t pi_pair_of(uint8x16_t line, size_t j) {
    return vandq_u8(pi_shift_right(line, 2 * j), vdupq_n_u8(3));
}

PI_INLINE int8x16x2_t pi_signed_pair(uint8x16_t first, uint8x16_t second) {
    return (int8x16x2_t){{vreinterpretq_s8_u8(first), vreinterpretq_s8_u8(second)}};
}

/* Byte `which` of four lanes as f32. */
PI_INLINE float32x4_t pi_byte_f32_128(uint32x4_t lanes, size_t which) {
    uint32x4_t byte = lanes;
    switch (which) {
    case 0: byte = vandq_u32(lanes, vdupq_n_u32(255)); break;
    case 1: byte = vandq_u32(vshrq_n_u32(lanes, 8), vdupq_n_u32(255)); break;
    case 2: byte = vandq_u32(vshrq_n_u32(lanes, 16), vdupq_n_u32(255)); break;
    default: byte = vshrq_n_u32(lanes, 24); break;
    }
    return vcvtq_f32_u32(byte);
}
PI_INLINE float32x4_t pi_signed_byte_f32_128(int32x4_t lanes, size_t which) {
    switch (which) {
    case 0: lanes = vshlq_n_s32(lanes, 24); break;
    case 1: lanes = vshlq_n_s32(lanes, 16); break;
    case 2: lanes = vshlq_n_s32(lanes, 8); break;
    default: break;
    }
    return vcvtq_f32_s32(vshrq_n_s32(lanes, 24));
}

#endif
