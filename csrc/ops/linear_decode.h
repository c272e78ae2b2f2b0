/* Linear ops of up to one tile of tokens: panels walked as far-apart streams through the GEMV. Split over
 * panels; each output is computed by one worker in one order. */
#ifndef PYINFER_OPS_LINEAR_DECODE_H
#define PYINFER_OPS_LINEAR_DECODE_H

#include "ops/activation.h"

/* Scratch, without that of the activations. */
size_t pi_linear_decode_scratch_bytes(void);

/* Part `part` of a linear op. */
void pi_linear_decode(const struct pi_step *step, const struct pi_op *op,
                      const struct pi_linear *linear, size_t part, const struct pi_activation *x,
                      struct pi_worker *worker, struct pi_scratch scratch);

/* silu(gate) * up of a gate-up op. */
void pi_gate_up_decode(const struct pi_step *step, const struct pi_op *op,
                       const struct pi_activation *x, struct pi_worker *worker,
                       struct pi_scratch scratch);

/* What a worker reads first if `op` runs as decode. */
void pi_linear_ahead(const struct pi_step *step, const struct pi_op *op, size_t n_tokens,
                     const struct pi_worker *worker, struct pi_ahead *ahead);

/* Tokens of one tile times panels [first, first + count) of every stream. out[s] receives rows of
 * out_stride floats. */
void pi_linear_gemv(const struct pi_step *step, const struct pi_activation *x,
                    const struct pi_weight *weight, size_t tile, const struct pi_chunk *chunk,
                    float *const *out, size_t out_stride);

#endif
