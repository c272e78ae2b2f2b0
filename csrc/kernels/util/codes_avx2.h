/* Codes of one block of 32 inputs x 16 rows, one line of bytes per chunk of four inputs, for maddubs;
 * and bytes of the lines of scales, one 32-bit lane per row. */
#ifndef PYINFER_KERNELS_UTIL_CODES_AVX2_H
#define PYINFER_KERNELS_UTIL_CODES_AVX2_H

#include "kernels/util/lines_avx2.h"
#include "kernels/util/x86_broadcast256.h"
#include "kernels/util/x86_math256.h"
#include "pyinfer/kernel_types.h"

#define PI_CHUNKS 8 /* of four inputs in a block */

/* v shifted left by n bits, or right by -n; what crosses a byte is masked out by the caller. */
PI_INLINE __m256i pi_shift256(__m256i v, int n) {
    return n >= 0 ? _mm256_slli_epi16(v, n) : _mm256_srli_epi16(v, -n);
}

/* Four lines: chunk j low, chunk j + 4 high. */
PI_INLINE void pi_nibbles256(const pi_line *q, size_t half, __m256i *code) {
    const __m256i mask = _mm256_set1_epi8(15);
    for (size_t j = 0; j < 4; j++) {
        const __m256i line = pi_load_half(q[j], half);
        code[j] = _mm256_and_si256(line, mask);
        code[j + 4] = _mm256_and_si256(_mm256_srli_epi16(line, 4), mask);
    }
}
/* The fifth bit of chunk j is bit j of every byte of one line. */
PI_INLINE void pi_fifth_bits256(const pi_line high, size_t half, __m256i *code) {
    const __m256i mask = _mm256_set1_epi8(16);
    const __m256i line = pi_load_half(high, half);
    for (int j = 0; j < PI_CHUNKS; j++) {
        code[j] = _mm256_or_si256(code[j], _mm256_and_si256(pi_shift256(line, 4 - j), mask));
    }
}
/* Bits 4 and 5 of chunk j are bits 2j % 8 of every byte of line j / 4. */
PI_INLINE void pi_high_pairs256(const pi_line *high, size_t half, __m256i *code) {
    const __m256i mask = _mm256_set1_epi8(48);
    for (int j = 0; j < PI_CHUNKS; j++) {
        const __m256i bits = pi_shift256(pi_load_half(high[j / 4], half), 4 - 2 * (j % 4));
        code[j] = _mm256_or_si256(code[j], _mm256_and_si256(bits, mask));
    }
}
/* Codes of two bits, at bits 2j % 8 of line j / 4. */
PI_INLINE void pi_pairs256(const pi_line *q, size_t half, __m256i *code) {
    const __m256i mask = _mm256_set1_epi8(3);
    for (int j = 0; j < PI_CHUNKS; j++) {
        const __m256i bits = pi_shift256(pi_load_half(q[j / 4], half), -2 * (j % 4));
        code[j] = _mm256_and_si256(bits, mask);
    }
}

/* Byte i of every lane as f32. */
PI_INLINE __m256 pi_byte_f32_256(__m256i v, int i) {
    const __m256i mask = _mm256_set1_epi32(255);
    return _mm256_cvtepi32_ps(_mm256_and_si256(_mm256_srli_epi32(v, 8 * i), mask));
}
PI_INLINE __m256 pi_signed_byte_f32_256(__m256i v, int i) {
    return _mm256_cvtepi32_ps(_mm256_srai_epi32(_mm256_slli_epi32(v, 24 - 8 * i), 24));
}
PI_INLINE __m256 pi_minus256(__m256 x) { return _mm256_xor_ps(x, _mm256_set1_ps(-0.0f)); }

/* Scales and minimums, six bits each, of the four blocks of half a super-block, 8 rows: byte b of a
 * lane belongs to block b. */
PI_INLINE void pi_six_bits256(const pi_line *lines, size_t half_inputs, size_t half, __m256i *scale,
                              __m256i *min) {
    const __m256i six = _mm256_set1_epi8(63);
    const __m256i four = _mm256_set1_epi8(15);
    const __m256i two = _mm256_set1_epi8(48);
    const __m256i first = pi_load_half(lines[0], half);
    const __m256i second = pi_load_half(lines[1], half);
    if (half_inputs == 0) {
        *scale = _mm256_and_si256(first, six);
        *min = _mm256_and_si256(second, six);
        return;
    }
    const __m256i third = pi_load_half(lines[2], half);
    *scale = _mm256_or_si256(_mm256_and_si256(third, four),
                             _mm256_and_si256(_mm256_srli_epi16(first, 2), two));
    *min = _mm256_or_si256(_mm256_and_si256(_mm256_srli_epi16(third, 4), four),
                           _mm256_and_si256(_mm256_srli_epi16(second, 2), two));
}
/* The same as f32, times the scale of scales; of the minimums, minus the minimum. */
PI_INLINE __m256 pi_scale_k4_256(const uint16_t *d, const pi_line *lines, size_t half_inputs,
                                 size_t block, size_t half) {
    __m256i scale;
    __m256i min;
    pi_six_bits256(lines, half_inputs, half, &scale, &min);
    return _mm256_mul_ps(pi_load_f16_256(d + 8 * half), pi_byte_f32_256(scale, (int)block));
}
PI_INLINE __m256 pi_min_k4_256(const uint16_t *dmin, const pi_line *lines, size_t half_inputs,
                               size_t block, size_t half) {
    __m256i scale;
    __m256i min;
    pi_six_bits256(lines, half_inputs, half, &scale, &min);
    return _mm256_mul_ps(pi_minus256(pi_load_f16_256(dmin + 8 * half)),
                         pi_byte_f32_256(min, (int)block));
}

#endif
