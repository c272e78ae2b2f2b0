/* Template: one packed group of a float format times n_tokens rows of f32, 16 rows at a time.
 * n_tokens is a constant of at most 4 at every call: 8 sums, up to 4 weights and one broadcast of
 * 16 registers, and eight independent fma chains, which cover a latency of 4 on two ports.
 *
 * Parameters, defined by panel_dot_<format>_avx2.h:
 *   GROUP        packed group type
 *   STEP         inputs of one line: 1 or 2
 *   load_line()  weights of one line as f32: w[input][half] */

/* One fma chain per row and token, in ascending input order; f[token][half] goes on. */
PI_INLINE void panel_dot(const GROUP *group, const float *x, size_t x_stride, const size_t n_tokens,
                         __m256 (*f)[2]) {
    for (size_t i = 0; i < PI_GROUP_INPUTS; i += STEP) {
        __m256 w[STEP][2];
        load_line(group, i, w);
        for (size_t k = 0; k < STEP; k++) {
            for (size_t t = 0; t < n_tokens; t++) {
                const __m256 value = _mm256_broadcast_ss(x + t * x_stride + i + k);
                f[t][0] = _mm256_fmadd_ps(w[k][0], value, f[t][0]);
                f[t][1] = _mm256_fmadd_ps(w[k][1], value, f[t][1]);
            }
        }
    }
}

#undef STEP
