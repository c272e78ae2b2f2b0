/* Template: scalar GEMV of a quantized format. Parameters: the scalar ones of a quantized format (README.md). */
#include "kernels/dot/quant_scalar.inc.h"

#ifndef PARAM_KERNEL
#error "gemv/quant_scalar.inc.h needs PARAM_KERNEL"
#endif

pi_gemv_fn PARAM_KERNEL;

void PARAM_KERNEL(const struct pi_gemv_args *a) {
    const struct pi_a8_group *x = a->x;
    for (size_t s = 0; s < a->n_streams; s++) {
        for (size_t p = 0; p < a->n_panels; p++) {
            const PARAM_GROUP *group =
                (const PARAM_GROUP *)(const void *)a->w[s] + p * a->n_groups / PARAM_SPAN;
            for (size_t t = 0; t < a->n_tokens; t++) {
                float *out = a->out[s] + t * a->out_stride + p * PI_PANEL_ROWS;
                for (size_t r = 0; r < PI_PANEL_ROWS; r++) {
                    out[r] = row_dot(group, a->n_groups, r, x + t, a->n_tokens, 0.0f);
                }
            }
        }
    }
}

#include "kernels/undef_params.h"
