/* Shared by the linear ops and the head. */
#ifndef PYINFER_OPS_LINEAR_H
#define PYINFER_OPS_LINEAR_H

#include "ops/activation.h"

size_t pi_linear_scratch_bytes(const struct pi_linear *linear);

/* op->out = linear(op->in) for n_tokens rows; see pi_activation_prepare for row_of. */
void pi_linear_run(const struct pi_step *step, const struct pi_op *op,
                   const struct pi_linear *linear, const int32_t *row_of, size_t n_tokens,
                   struct pi_worker *worker);

#endif
