/* Prefetch of the bytes that a stream will read soon; distances of 0 switch a level off. */
#ifndef PYINFER_KERNELS_UTIL_X86_PREFETCH_H
#define PYINFER_KERNELS_UTIL_X86_PREFETCH_H

#include "pyinfer/types.h"
#include <immintrin.h>

/* Every line of `bytes` from `at` on, `near` bytes ahead into L1 and `far` bytes ahead into L2.
 * Addresses past the end of the data are harmless: a prefetch never faults. */
PI_INLINE void pi_prefetch_stream(const void *at, size_t bytes, size_t near, size_t far) {
    const char *line = at;
    for (size_t i = 0; i < bytes; i += PI_LINE_BYTES) {
        if (near != 0) {
            _mm_prefetch(line + i + near, _MM_HINT_T0);
        }
        if (far != 0) {
            _mm_prefetch(line + i + far, _MM_HINT_T1);
        }
    }
}

#endif
