/* q4_0 weights of one block of 32 inputs x 16 rows, as unsigned bytes for vpdpbusd. */
#ifndef PYINFER_KERNELS_UTIL_BLOCK_Q4_0_AVX512VNNI_H
#define PYINFER_KERNELS_UTIL_BLOCK_Q4_0_AVX512VNNI_H

#include "kernels/util/x86_math512.h"
#include "pyinfer/panels.h"

typedef struct pi_group_q4_0 pi_block_group;
#define PI_BLOCK_START start_q4
#define PI_BLOCK_STEPS 4 /* lines per block; each gives two chunks of four inputs */

PI_INLINE __m512i pi_block_line(const pi_block_group *group, size_t b, size_t j) {
    return _mm512_load_si512(group->q[b][j]);
}
/* Chunk j (inputs 4j..4j+3) and chunk j + 4 (inputs 16+4j..16+4j+3). */
PI_INLINE __m512i pi_block_first(__m512i line) {
    return _mm512_and_si512(line, _mm512_set1_epi8(15));
}
PI_INLINE __m512i pi_block_second(__m512i line) {
    return _mm512_and_si512(_mm512_srli_epi16(line, 4), _mm512_set1_epi8(15));
}
/* Activation bytes that meet the two chunks of step j. */
PI_INLINE size_t pi_block_first_input(size_t j) { return 4 * j; }
PI_INLINE size_t pi_block_second_input(size_t j) { return 16 + 4 * j; }

#endif
