/* q8_0 weights of one block of 32 inputs x 16 rows, as unsigned bytes for vpdpbusd. The interface
 * is that of block_q4_0_avx512vnni.h: each step gives two chunks of four inputs. */
#ifndef PYINFER_KERNELS_UTIL_BLOCK_Q8_0_AVX512VNNI_H
#define PYINFER_KERNELS_UTIL_BLOCK_Q8_0_AVX512VNNI_H

#include "kernels/util/x86_math512.h"
#include "pyinfer/panels.h"

typedef struct pi_group_q8_0 pi_block_group;
#define PI_BLOCK_START start_q8
#define PI_BLOCK_STEPS 4

typedef struct {
    __m512i first, second;
} pi_line_pair;

PI_INLINE pi_line_pair pi_block_line(const pi_block_group *group, size_t b, size_t j) {
    return (pi_line_pair){_mm512_load_si512(group->q[b][2 * j]),
                          _mm512_load_si512(group->q[b][2 * j + 1])};
}
PI_INLINE __m512i pi_block_first(pi_line_pair pair) { return pair.first; }
PI_INLINE __m512i pi_block_second(pi_line_pair pair) { return pair.second; }
PI_INLINE size_t pi_block_first_input(size_t j) { return 8 * j; }
PI_INLINE size_t pi_block_second_input(size_t j) { return 8 * j + 4; }

#endif
