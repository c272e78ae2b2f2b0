/* Linear ops of more than one tile of tokens: blocks of panels through the GEMM in tiles of tokens. Split
 * over panels; each output is computed by one worker in one order. */
#ifndef PYINFER_OPS_LINEAR_PROMPT_H
#define PYINFER_OPS_LINEAR_PROMPT_H

#include "ops/activation.h"

/* Scratch, without that of the activations. */
size_t pi_linear_prompt_scratch_bytes(void);

/* Part `part` of a linear op. */
void pi_linear_prompt(const struct pi_step *step, const struct pi_op *op,
                      const struct pi_linear *linear, size_t part, const struct pi_activation *x,
                      struct pi_worker *worker, struct pi_scratch scratch);

/* silu(gate) * up of a gate-up op. */
void pi_gate_up_prompt(const struct pi_step *step, const struct pi_op *op,
                       const struct pi_activation *x, struct pi_worker *worker,
                       struct pi_scratch scratch);

#endif
