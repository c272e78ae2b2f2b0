/* Template: AVX2 GEMM of a quantized format. A tile of 8 tokens stays in L1 while the panels pass; a
 * group of a panel is in L1 while the register tiles, half a panel x 4 tokens, go over it. NAME is
 * the exported symbol; GROUP and group_dot come from half_dot_<format>_avx2.h. */
pi_gemm_fn NAME;

static void multiply_tile(const GROUP *group, size_t n_groups, const struct pi_a8_group *x,
                          float *out, size_t out_stride, bool accumulate) {
    row_sums sums[PI_TILE_TOKENS] PI_ALIGNED(32) = {0};
    for (size_t t = 0; accumulate && t < PI_TILE_TOKENS; t++) {
        memcpy(sums[t], out + t * out_stride, sizeof sums[t]);
    }
    for (size_t g = 0; g < n_groups; g++, group++, x += PI_TILE_TOKENS) {
        group_dot(group, x, 4, sums);
        group_dot(group, x + 4, 4, sums + 4);
    }
    for (size_t t = 0; t < PI_TILE_TOKENS; t++) {
        memcpy(out + t * out_stride, sums[t], sizeof sums[t]);
    }
}

void NAME(const struct pi_gemm_args *a) {
    for (size_t tile = 0; tile < a->n_tiles; tile++) {
        const struct pi_a8_group *x =
            (const struct pi_a8_group *)(const void *)((const uint8_t *)a->x + tile * a->x_stride);
        for (size_t p = 0; p < a->n_panels; p++) {
            const GROUP *group = (const GROUP *)(const void *)(a->w + p * a->panel_stride);
            float *out = a->out + tile * PI_TILE_TOKENS * a->out_stride + p * PI_PANEL_ROWS;
            multiply_tile(group, a->n_groups, x, out, a->out_stride, a->accumulate);
        }
    }
}

#undef NAME
#undef GROUP
