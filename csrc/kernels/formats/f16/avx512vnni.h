/* f16 panels for the AVX-512 templates. */
#include "kernels/formats/f16/layout.h"
#include <immintrin.h>

/* One line holds two inputs of 16 rows: the low and the high half of each dword. */
PI_INLINE __m512 load_input(const struct pi_group_16bit *group, size_t line, size_t which) {
    const __m512i pairs = _mm512_load_si512(group->w[line]);
    return _mm512_cvtph_ps(
        _mm512_cvtepi32_epi16(which == 0 ? pairs : _mm512_srli_epi32(pairs, 16)));
}

#define PARAM_GROUP struct pi_group_16bit
#define PARAM_LINE_INPUTS 2
#define PARAM_LOAD_INPUT load_input
