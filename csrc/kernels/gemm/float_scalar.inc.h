/* Template: scalar GEMM over row_dot of a float format. NAME is the exported symbol; GROUP and
 * row_dot come from row_dot_<format>.h. */
pi_gemm_fn NAME;

void NAME(const struct pi_gemm_args *a) {
    for (size_t t = 0; t < a->n_tiles * PI_TILE_TOKENS; t++) {
        const float *x = (const float *)a->x + t * a->x_stride;
        for (size_t p = 0; p < a->n_panels; p++) {
            const GROUP *group = (const GROUP *)(const void *)(a->w + p * a->panel_stride);
            float *out = a->out + t * a->out_stride + p * PI_PANEL_ROWS;
            for (size_t r = 0; r < PI_PANEL_ROWS; r++) {
                out[r] = row_dot(group, a->n_groups, r, x, a->accumulate ? out[r] : 0.0f);
            }
        }
    }
}

#undef NAME
#undef GROUP
