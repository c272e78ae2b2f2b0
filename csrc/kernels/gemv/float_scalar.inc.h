/* Template: scalar GEMV of a float format. Parameters: the scalar ones of a float format (README.md). */
#include "kernels/dot/float_scalar.inc.h"

#ifndef PARAM_KERNEL
#error "gemv/float_scalar.inc.h needs PARAM_KERNEL"
#endif

pi_gemv_fn PARAM_KERNEL;

void PARAM_KERNEL(const struct pi_gemv_args *a) {
    const float *x = a->x;
    for (size_t s = 0; s < a->n_streams; s++) {
        for (size_t p = 0; p < a->n_panels; p++) {
            const PARAM_GROUP *group = (const PARAM_GROUP *)(const void *)a->w[s] + p * a->n_groups;
            for (size_t t = 0; t < a->n_tokens; t++) {
                float *out = a->out[s] + t * a->out_stride + p * PI_PANEL_ROWS;
                for (size_t r = 0; r < PI_PANEL_ROWS; r++) {
                    out[r] = row_dot(group, a->n_groups, r, x + t * a->x_stride, 0.0f);
                }
            }
        }
    }
}

#include "kernels/undef_params.h"
