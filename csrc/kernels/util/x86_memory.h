/* Broadcast loads of four bytes, prefetches of whole groups, loops that are not unrolled. */
#ifndef PYINFER_KERNELS_UTIL_X86_MEMORY_H
#define PYINFER_KERNELS_UTIL_X86_MEMORY_H

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

/* Prefetches every line of the group that stands `near` bytes ahead into L1 and of the one `far`
 * bytes ahead into L2. Addresses behind the end of the matrix are harmless. */
PI_INLINE void pi_prefetch_group(const void *group, size_t group_bytes, size_t near_bytes,
                                 size_t far_bytes) {
    const char *p = group;
    if (near_bytes) {
        for (size_t i = 0; i < group_bytes; i += PI_LINE_BYTES) {
            _mm_prefetch(p + near_bytes + i, _MM_HINT_T0);
        }
    }
    if (far_bytes) {
        for (size_t i = 0; i < group_bytes; i += PI_LINE_BYTES) {
            _mm_prefetch(p + far_bytes + i, _MM_HINT_T1);
        }
    }
}

#endif
