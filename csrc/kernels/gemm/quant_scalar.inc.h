/* Template: scalar GEMM over row_dot of a quantized format. Same steps in the same order per
 * output as the GEMV. NAME is the exported symbol; GROUP and row_dot come from
 * row_dot_<format>.h. */
pi_gemm_fn NAME;

void NAME(const struct pi_gemm_args *a) {
    for (size_t t = 0; t < a->n_tiles * PI_TILE_TOKENS; t++) {
        const uint8_t *tile = (const uint8_t *)a->x + (t / PI_TILE_TOKENS) * a->x_stride;
        const struct pi_a8_group *x =
            (const struct pi_a8_group *)(const void *)tile + t % PI_TILE_TOKENS;
        for (size_t p = 0; p < a->n_panels; p++) {
            const GROUP *group = (const GROUP *)(const void *)(a->w + p * a->panel_stride);
            float *out = a->out + t * a->out_stride + p * PI_PANEL_ROWS;
            for (size_t r = 0; r < PI_PANEL_ROWS; r++) {
                const float f = a->accumulate ? out[r] : 0.0f;
                out[r] = row_dot(group, a->n_groups, r, x, PI_TILE_TOKENS, f);
            }
        }
    }
}

#undef NAME
#undef GROUP
#undef SPAN
