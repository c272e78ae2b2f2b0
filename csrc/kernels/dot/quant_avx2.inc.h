/* Part of templates: one packed group of a quantized format times n_tokens a8 records. n_tokens is a
 * constant of at most 4 at every call; up to two tokens run with both halves (8 rows each) of the panel at
 * once, which share the broadcasts of activations, more with one half after the other: so the sums,
 * the weights of a line and a broadcast live in 16 registers.
 *
 * `fetch` is constant: whether this pass over the group, of several, is the one that prefetches. */
#include "kernels/util/x86_broadcast256.h"
#include "kernels/util/prefetch.h"

#ifndef PARAM_GROUP
#error "dot/quant_avx2.inc.h needs PARAM_GROUP"
#endif
#ifndef PARAM_BLOCK_DOT
#error "dot/quant_avx2.inc.h needs PARAM_BLOCK_DOT"
#endif

/* Partial sums of one panel and token. */
typedef float row_sums[PI_PANEL_ROWS];

/* f[half][token] goes on over the four blocks of the group. */
PI_INLINE void halves_dot(const PARAM_GROUP *group, const size_t first, const size_t n_halves,
                          const struct pi_a8_group *x, const size_t n_tokens, const bool fetch,
                          size_t far, __m256 (*f)[4]) {
    PI_KEEP_LOOP
    for (size_t b = 0; b < 4; b++) {
        pi_prefetch_line(group->scale[b], fetch, far);
        __m256i isum[2][4];
        PARAM_BLOCK_DOT(group, b, first, n_halves, x, n_tokens, fetch, far, isum);
        for (size_t h = 0; h < n_halves; h++) {
            const __m256 scale_f32x8 = _mm256_cvtph_ps(
                _mm_load_si128((const __m128i *)(const void *)&group->scale[b][8 * (first + h)]));
            for (size_t t = 0; t < n_tokens; t++) {
                const __m256 dot_f32x8 = _mm256_cvtepi32_ps(isum[h][t]);
                const __m256 product = _mm256_mul_ps(scale_f32x8, _mm256_set1_ps(x[t].scale[b]));
                f[h][t] = _mm256_fmadd_ps(dot_f32x8, product, f[h][t]);
            }
        }
    }
}

PI_INLINE void group_dot(const PARAM_GROUP *group, const struct pi_a8_group *x,
                         const size_t n_tokens, const bool fetch, size_t far, row_sums *sums) {
    const size_t n_halves = n_tokens <= 2 ? 2 : 1;
    for (size_t first = 0; first < 2; first += n_halves) {
        __m256 f[2][4];
        for (size_t h = 0; h < n_halves; h++) {
            for (size_t t = 0; t < n_tokens; t++) {
                f[h][t] = _mm256_load_ps(sums[t] + 8 * (first + h));
            }
        }
        halves_dot(group, first, n_halves, x, n_tokens, fetch && first == 0, far, f);
        for (size_t h = 0; h < n_halves; h++) {
            for (size_t t = 0; t < n_tokens; t++) {
                _mm256_store_ps(sums[t] + 8 * (first + h), f[h][t]);
            }
        }
    }
}
