/* Template: one packed group of a quantized format times n_tokens a8 records, 8 rows at a time.
 * n_tokens is a constant of at most 4 at every call, so 4 float and 4 integer sums, two weights
 * and a broadcast live in 16 registers.
 *
 * Parameters, defined by half_dot_<format>_avx2.h:
 *   GROUP        packed group type
 *   block_dot()  isum[token] of one block of 8 rows, exact, offset of the weights included */

/* f[t] goes on over the four blocks of the group. */
PI_INLINE void half_dot(const GROUP *group, size_t half, const struct pi_a8_group *x,
                        const size_t n_tokens, __m256 *f) {
    for (size_t b = 0; b < 4; b++) {
        __m256i isum[4];
        block_dot(group, b, half, x, n_tokens, isum);
        const __m256 scale_f32x8 = _mm256_cvtph_ps(
            _mm_load_si128((const __m128i *)(const void *)&group->scale[b][8 * half]));
        for (size_t t = 0; t < n_tokens; t++) {
            const __m256 dot_f32x8 = _mm256_cvtepi32_ps(isum[t]);
            const __m256 product = _mm256_mul_ps(scale_f32x8, _mm256_set1_ps(x[t].scale[b]));
            f[t] = _mm256_fmadd_ps(dot_f32x8, product, f[t]);
        }
    }
}

/* Partial sums of one panel and token. */
typedef float row_sums[PI_PANEL_ROWS];

PI_INLINE void group_dot(const GROUP *group, const struct pi_a8_group *x, const size_t n_tokens,
                         row_sums *sums) {
    for (size_t half = 0; half < 2; half++) {
        __m256 f[4];
        for (size_t t = 0; t < n_tokens; t++) {
            f[t] = _mm256_load_ps(sums[t] + 8 * half);
        }
        half_dot(group, half, x, n_tokens, f);
        for (size_t t = 0; t < n_tokens; t++) {
            _mm256_store_ps(sums[t] + 8 * half, f[t]);
        }
    }
}
