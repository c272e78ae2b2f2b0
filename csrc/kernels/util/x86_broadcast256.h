/* Broadcast loads of four bytes, and loops that stay loops. */
#ifndef PYINFER_KERNELS_UTIL_X86_BROADCAST256_H
#define PYINFER_KERNELS_UTIL_X86_BROADCAST256_H

#include "pyinfer/types.h"
#include <immintrin.h>
#include <string.h>

/* In front of a loop that must stay one: unrolled, the compiler hoists more loads than it has
 * registers for and spills sums instead. */
#define PI_KEEP_LOOP _Pragma("GCC unroll 1")

PI_INLINE __m256i pi_broadcast4_256(const void *four_bytes) {
    int32_t word;
    memcpy(&word, four_bytes, sizeof word);
    return _mm256_set1_epi32(word);
}

#endif
