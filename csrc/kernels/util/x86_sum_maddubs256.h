/* Sums of byte products without VNNI: maddubs onto int16, widened once per block. */
#ifndef PYINFER_KERNELS_UTIL_X86_SUM_MADDUBS256_H
#define PYINFER_KERNELS_UTIL_X86_SUM_MADDUBS256_H

#include "pyinfer/types.h"
#include <immintrin.h>

PI_INLINE __m256i pi_add_pairs256(__m256i sum, __m256i w_u8x32, __m256i q_i8x32) {
    return _mm256_add_epi16(sum, _mm256_maddubs_epi16(w_u8x32, q_i8x32));
}
/* int32 sums times `factor`. */
PI_INLINE __m256i pi_widen_pairs256(__m256i sum_i16x16, int16_t factor) {
    return _mm256_madd_epi16(sum_i16x16, _mm256_set1_epi16(factor));
}

#endif
