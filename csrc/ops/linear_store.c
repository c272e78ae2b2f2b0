/* Results of a linear op: bias, residual, and silu(gate) * up. */
#include "ops/linear_store.h"
#include <string.h>

void pi_linear_store(const struct pi_step *step, const struct pi_op *op,
                     const struct pi_linear *linear, size_t begin, size_t n_tokens, size_t col,
                     size_t n_cols, const float *from, size_t from_stride) {
    const int32_t *kept = step->frame->kept_rows;
    for (size_t t = 0; t < n_tokens; t++) {
        const float *f = from + t * from_stride;
        float *out = op->out.data + (begin + t) * op->out.stride + col;
        const float *residual = op->residual.data;
        if (linear->bias != NULL) {
            const float *bias = linear->bias + col;
            for (size_t i = 0; i < n_cols; i++) {
                out[i] = f[i] + bias[i];
            }
        } else if (residual == NULL) {
            memcpy(out, f, n_cols * sizeof *out);
        }
        if (residual != NULL) { /* may be `out` itself */
            const size_t row = op->gathers ? (size_t)kept[begin + t] : begin + t;
            const float *add = residual + row * op->residual.stride + col;
            const float *sum = linear->bias != NULL ? out : f;
            for (size_t i = 0; i < n_cols; i++) {
                out[i] = add[i] + sum[i];
            }
        }
    }
}

void pi_linear_store_swiglu(const struct pi_step *step, const struct pi_op *op, size_t begin,
                            size_t n_tokens, size_t col, size_t n_cols, const float *gate,
                            const float *up, size_t stride) {
    for (size_t t = 0; t < n_tokens; t++) {
        step->rt->kernels.swiglu(op->out.data + (begin + t) * op->out.stride + col,
                                 gate + t * stride, up + t * stride, n_cols);
    }
}
