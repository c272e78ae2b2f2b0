/* Storing results of a linear op or of gate-up. */
#ifndef PYINFER_OPS_LINEAR_STORE_H
#define PYINFER_OPS_LINEAR_STORE_H

#include "pyinfer/ops.h"

/* Adds bias, then the residual, and stores: out[t][col ...] of n_cols columns. */
void pi_linear_store(const struct pi_step *step, const struct pi_op *op,
                     const struct pi_linear *linear, size_t begin, size_t n_tokens, size_t col,
                     size_t n_cols, const float *from, size_t from_stride);

/* Stores silu(gate) * up. */
void pi_linear_store_swiglu(const struct pi_step *step, const struct pi_op *op, size_t begin,
                            size_t n_tokens, size_t col, size_t n_cols, const float *gate,
                            const float *up, size_t stride);

#endif
