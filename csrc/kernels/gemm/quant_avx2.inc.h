/* Template: AVX2 GEMM of a quantized format. One tile of 8 tokens stays in L1 while the panels pass;
 * half a panel x 4 tokens is the register tile. NAME is the exported symbol; GROUP and half_dot come
 * from half_dot_<format>_avx2.h. */
pi_gemm_fn NAME;

#define PART 4 /* tokens of a register tile */

static void multiply_part(const GROUP *group, size_t n_groups, const struct pi_a8_group *x,
                          float *out, size_t out_stride, bool accumulate) {
    for (size_t half = 0; half < 2; half++, out += 8) {
        __m256 f[PART];
        for (size_t t = 0; t < PART; t++) {
            f[t] = accumulate ? _mm256_loadu_ps(out + t * out_stride) : _mm256_setzero_ps();
        }
        for (size_t g = 0; g < n_groups; g++) {
            half_dot(group + g, half, x + g * PI_TILE_TOKENS, PART, f);
        }
        for (size_t t = 0; t < PART; t++) {
            _mm256_storeu_ps(out + t * out_stride, f[t]);
        }
    }
}

void NAME(const struct pi_gemm_args *a) {
    for (size_t tile = 0; tile < a->n_tiles; tile++) {
        const struct pi_a8_group *x =
            (const struct pi_a8_group *)(const void *)((const uint8_t *)a->x + tile * a->x_stride);
        for (size_t p = 0; p < a->n_panels; p++) {
            const GROUP *group = (const GROUP *)(const void *)(a->w + p * a->panel_stride);
            float *out = a->out + tile * PI_TILE_TOKENS * a->out_stride + p * PI_PANEL_ROWS;
            for (size_t t = 0; t < PI_TILE_TOKENS; t += PART) {
                multiply_part(group, a->n_groups, x + t, out + t * a->out_stride, a->out_stride,
                              a->accumulate);
            }
        }
    }
}

#undef PART
#undef NAME
#undef GROUP
