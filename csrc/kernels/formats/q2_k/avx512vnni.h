/* q2_k panels for the AVX-512 templates. */
#include "kernels/formats/q2_k/layout.h"
#include "kernels/util/codes_avx512vnni.h"

struct scales {
    __m512 d, minus_dmin;
    __m512i scale[2], min[2];
};

PI_INLINE struct scales load_scales(const struct pi_super_q2_k *group, size_t half) {
    const __m512i four = _mm512_set1_epi8(15);
    struct scales s = {.d = pi_load_f16_512(group->d)};
    s.minus_dmin = _mm512_xor_ps(pi_load_f16_512(group->dmin), _mm512_set1_ps(-0.0f));
    for (size_t i = 0; i < 2; i++) {
        const __m512i line = pi_load_line(group->scale[2 * half + i]);
        s.scale[i] = _mm512_and_si512(line, four);
        s.min[i] = _mm512_and_si512(_mm512_srli_epi16(line, 4), four);
    }
    return s;
}
PI_INLINE __m512 part_scale(const struct scales *s, size_t part) {
    return _mm512_mul_ps(s->d, pi_byte_f32_512(s->scale[part / 4], part % 4));
}
PI_INLINE __m512 part_min(const struct scales *s, size_t part) {
    return _mm512_mul_ps(s->minus_dmin, pi_byte_f32_512(s->min[part / 4], part % 4));
}
PI_INLINE void codes(const struct pi_super_q2_k *group, size_t block, __m512i *code) {
    pi_pairs512(group->q[block], code);
}

#define PARAM_GROUP struct pi_super_q2_k
#define PARAM_SPAN 2
#define PARAM_PART_INPUTS 16
#define PARAM_BIAS 0
#define PARAM_HAS_MIN 1
#define PARAM_SCALES struct scales
#define PARAM_LOAD_SCALES load_scales
#define PARAM_PART_SCALE part_scale
#define PARAM_PART_MIN part_min
#define PARAM_CODES codes
