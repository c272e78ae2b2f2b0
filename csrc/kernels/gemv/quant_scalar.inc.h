/* Template: scalar GEMV over row_dot of a quantized format. NAME is the exported symbol; GROUP, the
 * SPAN of activation groups that it covers and row_dot come from row_dot_<format>.h. */
pi_gemv_fn NAME;

void NAME(const struct pi_gemv_args *a) {
    const struct pi_a8_group *x = a->x;
    for (size_t s = 0; s < a->n_streams; s++) {
        for (size_t p = 0; p < a->n_panels; p++) {
            const GROUP *group = (const GROUP *)(const void *)a->w[s] + p * a->n_groups / SPAN;
            for (size_t t = 0; t < a->n_tokens; t++) {
                float *out = a->out[s] + t * a->out_stride + p * PI_PANEL_ROWS;
                for (size_t r = 0; r < PI_PANEL_ROWS; r++) {
                    out[r] = row_dot(group, a->n_groups, r, x + t, a->n_tokens, 0.0f);
                }
            }
        }
    }
}

#undef NAME
#undef GROUP
#undef SPAN
