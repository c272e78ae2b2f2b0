/* Template: one packed group of a quantized format times n_tokens a8 records, 8 rows at a time.
 * n_tokens is a constant of at most 4 at every call, so the sums live in registers: 4 x f32, 4 (q4_0)
 * or 8 (q8_0) x int16, two weights and one broadcast of 16.
 *
 * Parameters, defined by half_dot_<format>_avx2.h: GROUP, START, block_dot(). */

/* f[t] goes on over the four blocks of the group. */
PI_INLINE void half_dot(const GROUP *group, size_t half, const struct pi_a8_group *x,
                        const size_t n_tokens, __m256 *f) {
    for (size_t b = 0; b < 4; b++) {
        __m256i isum[4];
        block_dot(group, b, half, x, n_tokens, isum);
        const __m256 scale_f32x8 = _mm256_cvtph_ps(
            _mm_load_si128((const __m128i *)(const void *)&group->scale[b][8 * half]));
        for (size_t t = 0; t < n_tokens; t++) {
            const __m256i start = pi_broadcast4_256(&x[t].START[b]);
            const __m256 dot_f32x8 = _mm256_cvtepi32_ps(_mm256_add_epi32(isum[t], start));
            const __m256 product = _mm256_mul_ps(scale_f32x8, _mm256_set1_ps(x[t].scale[b]));
            f[t] = _mm256_fmadd_ps(dot_f32x8, product, f[t]);
        }
    }
}

#undef START
