/* Codes of one block of 32 inputs x 16 rows, one register per chunk of four inputs, as unsigned bytes
 * for vpdpbusd; and bytes of the lines of scales, one 32-bit lane per row. */
#ifndef PYINFER_KERNELS_UTIL_CODES_AVX512VNNI_H
#define PYINFER_KERNELS_UTIL_CODES_AVX512VNNI_H

#include "kernels/util/x86_dot512.h"

#define PI_CHUNKS 8 /* of four inputs in a block */

PI_INLINE __m512i pi_load_line(const void *line) { return _mm512_load_si512(line); }

/* Four lines: chunk j low, chunk j + 4 high. */
PI_INLINE void pi_nibbles512(const pi_line *q, __m512i *code) {
    const __m512i mask = _mm512_set1_epi8(15);
    for (size_t j = 0; j < 4; j++) {
        const __m512i line = pi_load_line(q[j]);
        code[j] = _mm512_and_si512(line, mask);
        code[j + 4] = _mm512_and_si512(_mm512_srli_epi16(line, 4), mask);
    }
}

/* v shifted left by n bits, or right by -n; what crosses a byte is masked out by the caller. */
PI_INLINE __m512i pi_shift512(__m512i v, int n) {
    return n >= 0 ? _mm512_slli_epi16(v, n) : _mm512_srli_epi16(v, -n);
}

/* code | (bits & mask) */
PI_INLINE __m512i pi_add_bits512(__m512i code, __m512i bits, __m512i mask) {
    return _mm512_ternarylogic_epi64(code, bits, mask, 0xf8);
}

/* The fifth bit of chunk j is bit j of every byte of one line. */
PI_INLINE void pi_fifth_bits512(const pi_line high, __m512i *code) {
    const __m512i mask = _mm512_set1_epi8(16);
    const __m512i line = pi_load_line(high);
    for (int j = 0; j < PI_CHUNKS; j++) {
        code[j] = pi_add_bits512(code[j], pi_shift512(line, 4 - j), mask);
    }
}

/* Bits 4 and 5 of chunk j are bits 2j % 8 of every byte of line j / 4. */
PI_INLINE void pi_high_pairs512(const pi_line *high, __m512i *code) {
    const __m512i mask = _mm512_set1_epi8(48);
    for (int j = 0; j < PI_CHUNKS; j++) {
        const __m512i line = pi_load_line(high[j / 4]);
        code[j] = pi_add_bits512(code[j], pi_shift512(line, 4 - 2 * (j % 4)), mask);
    }
}

/* Codes of two bits, at bits 2j % 8 of line j / 4. */
PI_INLINE void pi_pairs512(const pi_line *q, __m512i *code) {
    const __m512i mask = _mm512_set1_epi8(3);
    for (int j = 0; j < PI_CHUNKS; j++) {
        code[j] = _mm512_and_si512(pi_shift512(pi_load_line(q[j / 4]), -2 * (j % 4)), mask);
    }
}

/* Byte i of every lane as f32. */
PI_INLINE __m512 pi_byte_f32_512(__m512i v, size_t i) {
    const __m512i mask = _mm512_set1_epi32(255);
    return _mm512_cvtepi32_ps(_mm512_and_si512(_mm512_srli_epi32(v, (unsigned)(8 * i)), mask));
}
PI_INLINE __m512 pi_signed_byte_f32_512(__m512i v, size_t i) {
    const __m512i top = _mm512_slli_epi32(v, (unsigned)(24 - 8 * i));
    return _mm512_cvtepi32_ps(_mm512_srai_epi32(top, 24));
}

/* factor * the eight sums of 16 consecutive values of an a8 record. */
PI_INLINE void pi_sums16_512(const int8_t *q, int32_t factor, int32_t *sum) {
    for (size_t i = 0; i < 2; i++) {
        const __m512i fours = _mm512_dpbusd_epi32(_mm512_setzero_si512(), _mm512_set1_epi8(1),
                                                  _mm512_loadu_si512(q + 64 * i));
        __m512i all = _mm512_add_epi32(fours, _mm512_shuffle_epi32(fours, _MM_PERM_CDAB));
        all = _mm512_add_epi32(all, _mm512_shuffle_epi32(all, _MM_PERM_BADC));
        all = _mm512_mullo_epi32(all, _mm512_set1_epi32(factor));
        const __m512i parts = _mm512_maskz_compress_epi32(0x1111, all);
        _mm_storeu_si128((__m128i *)(void *)(sum + 4 * i), _mm512_castsi512_si128(parts));
    }
}

#endif
