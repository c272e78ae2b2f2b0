/* bf16 panels for the AVX-512 templates. */
#include "kernels/formats/bf16/layout.h"
#include <immintrin.h>

/* One line holds two inputs of 16 rows: the low and the high half of each dword. */
PI_INLINE __m512 load_input(const struct pi_group_16bit *group, size_t line, size_t which) {
    const __m512i pairs = _mm512_load_si512(group->w[line]);
    return _mm512_castsi512_ps(which == 0
                                   ? _mm512_slli_epi32(pairs, 16)
                                   : _mm512_and_si512(pairs, _mm512_set1_epi32(INT32_MIN >> 15)));
}

#define PARAM_GROUP struct pi_group_16bit
#define PARAM_LINE_INPUTS 2
#define PARAM_LOAD_INPUT load_input
