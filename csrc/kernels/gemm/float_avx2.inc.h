/* Template: AVX2 GEMM of a float format; a whole panel x 4 tokens is the register tile. NAME is the
 * exported symbol; GROUP, panel_dot and sort_rows come from panel_dot_<format>_avx2.h. */
pi_gemm_fn NAME;

#define PART 4 /* tokens of a register tile */

static void multiply_part(const GROUP *group, size_t n_groups, const float *x, size_t x_stride,
                          float *out, size_t out_stride, bool accumulate) {
    __m256 f[PART][2];
    for (size_t t = 0; t < PART; t++) {
        const float *row = out + t * out_stride;
        f[t][0] = accumulate ? _mm256_loadu_ps(row) : _mm256_setzero_ps();
        f[t][1] = accumulate ? _mm256_loadu_ps(row + 8) : _mm256_setzero_ps();
        sort_rows(f[t]);
    }
    for (size_t g = 0; g < n_groups; g++) {
        panel_dot(group + g, x + g * PI_GROUP_INPUTS, x_stride, PART, f);
    }
    for (size_t t = 0; t < PART; t++) {
        sort_rows(f[t]);
        _mm256_storeu_ps(out + t * out_stride, f[t][0]);
        _mm256_storeu_ps(out + t * out_stride + 8, f[t][1]);
    }
}

void NAME(const struct pi_gemm_args *a) {
    for (size_t tile = 0; tile < a->n_tiles; tile++) {
        const float *x = (const float *)a->x + tile * PI_TILE_TOKENS * a->x_stride;
        for (size_t p = 0; p < a->n_panels; p++) {
            const GROUP *group = (const GROUP *)(const void *)(a->w + p * a->panel_stride);
            float *out = a->out + tile * PI_TILE_TOKENS * a->out_stride + p * PI_PANEL_ROWS;
            for (size_t t = 0; t < PI_TILE_TOKENS; t += PART) {
                multiply_part(group, a->n_groups, x + t * a->x_stride, a->x_stride,
                              out + t * a->out_stride, a->out_stride, a->accumulate);
            }
        }
    }
}

#undef PART
#undef NAME
#undef GROUP
