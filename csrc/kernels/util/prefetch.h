/* Prefetch of the bytes that a stream will read soon; distances of 0 switch a level off. */
#ifndef PYINFER_KERNELS_UTIL_PREFETCH_H
#define PYINFER_KERNELS_UTIL_PREFETCH_H

#include "pyinfer/types.h"

/* Every line of `bytes` from `at` on, `near` bytes ahead into L1 and `far` bytes ahead into L2.
 * Addresses past the end of the data are harmless: a prefetch never faults. */
PI_INLINE void pi_prefetch_stream(const void *at, size_t bytes, size_t near, size_t far) {
    const char *line = at;
    if (near != 0) {
        for (size_t i = 0; i < bytes; i += PI_LINE_BYTES) {
            PI_PREFETCH(line + i + near);
        }
    }
    if (far != 0) {
        for (size_t i = 0; i < bytes; i += PI_LINE_BYTES) {
            PI_PREFETCH_L2(line + i + far);
        }
    }
}

/* The line at `line`, `far` bytes ahead, into L2, where `fetch` (a constant at every call) says so: in a
 * loop that reads line by line it costs one instruction and no branch. */
PI_INLINE void pi_prefetch_line(const void *line, const bool fetch, size_t far) {
    if (fetch) {
        PI_PREFETCH_L2((const char *)line + far);
    }
}

/* Part `part` of `parts` of the same: a core holds a few misses at a time, so prefetches in small
 * portions between the arithmetic stall less than a burst for a whole group. */
PI_INLINE void pi_prefetch_part(const void *at, size_t bytes, size_t part, size_t parts,
                                size_t near, size_t far) {
    const size_t lines = bytes / PI_LINE_BYTES;
    const size_t first = part * lines / parts;
    const size_t end = (part + 1) * lines / parts;
    pi_prefetch_stream((const char *)at + first * PI_LINE_BYTES, (end - first) * PI_LINE_BYTES,
                       near, far);
}

#endif
