/* f32 panels for the AVX-512 templates. */
#include "kernels/formats/f32/layout.h"
#include <immintrin.h>

/* One line holds one input of 16 rows. */
PI_INLINE __m512 load_input(const struct pi_group_f32 *group, size_t line, size_t which) {
    (void)which;
    return _mm512_load_ps(group->w[line]);
}

#define PARAM_GROUP struct pi_group_f32
#define PARAM_LINE_INPUTS 1
#define PARAM_LOAD_INPUT load_input
