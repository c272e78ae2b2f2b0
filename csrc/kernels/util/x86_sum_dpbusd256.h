/* Sums of byte products with vpdpbusd on 256-bit registers, straight onto int32.
 *
 * The instruction has two encodings, of AVX-VNNI and of AVX-512 with 256-bit registers. The same
 * kernels are built for both (cmake/isa.cmake sets PI_DPBUSD to the intrinsic and gives the symbols of
 * the second build the suffix _evex), so that a processor that has only one of them runs them. */
#ifndef PYINFER_KERNELS_UTIL_X86_SUM_DPBUSD256_H
#define PYINFER_KERNELS_UTIL_X86_SUM_DPBUSD256_H

#include "pyinfer/types.h"
#include <immintrin.h>

PI_INLINE __m256i pi_add_dots256(__m256i sum, __m256i w_u8x32, __m256i q_i8x32) {
    return PI_DPBUSD(sum, w_u8x32, q_i8x32);
}
PI_INLINE __m256i pi_widen_dots256(__m256i sum_i32x8, int16_t factor) {
    (void)factor; /* one plane only */
    return sum_i32x8;
}

#endif
