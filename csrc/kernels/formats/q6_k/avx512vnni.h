/* q6_k panels for the AVX-512 templates. */
#include "kernels/formats/q6_k/layout.h"
#include "kernels/util/codes_avx512vnni.h"

struct scales {
    __m512 d;
    __m512i scale[2];
};

PI_INLINE struct scales load_scales(const struct pi_super_q6_k *group, size_t half) {
    return (struct scales){
        _mm512_castsi512_ps(pi_load_line(group->d)),
        {pi_load_line(group->scale[2 * half]), pi_load_line(group->scale[2 * half + 1])}};
}
PI_INLINE __m512 part_scale(const struct scales *s, size_t part) {
    return _mm512_mul_ps(s->d, pi_signed_byte_f32_512(s->scale[part / 4], part % 4));
}
PI_INLINE void codes(const struct pi_super_q6_k *group, size_t block, __m512i *code) {
    pi_nibbles512(group->q[block], code);
    pi_high_pairs512(group->high[block], code);
}

#define PARAM_GROUP struct pi_super_q6_k
#define PARAM_SPAN 2
#define PARAM_PART_INPUTS 16
#define PARAM_BIAS 32
#define PARAM_HAS_MIN 0
#define PARAM_SCALES struct scales
#define PARAM_LOAD_SCALES load_scales
#define PARAM_PART_SCALE part_scale
#define PARAM_CODES codes
