/* Inside of the linear ops: decode walks panels as far-apart streams through the GEMV
 * (linear_decode.c), prompts run blocks of panels through the GEMM in tiles of tokens
 * (linear_prompt.c). Both are split over panels; each output is computed by one worker in one
 * order. */
#ifndef PYINFER_OPS_LINEAR_PART_H
#define PYINFER_OPS_LINEAR_PART_H

#include "ops/linear.h"
#include "pyinfer/qtype.h"

PI_INLINE size_t pi_weight_group_bytes(const struct pi_weight *weight) {
    return pi_qtype_of(weight->format)->group_bytes;
}

PI_INLINE size_t pi_weight_panel_bytes(const struct pi_weight *weight) {
    return weight->n_groups * pi_weight_group_bytes(weight);
}

/* Scratch of the two ways, without that of the activations. */
size_t pi_linear_decode_scratch_bytes(void);
size_t pi_linear_prompt_scratch_bytes(void);

/* Part `part` of a linear op for up to one tile of tokens, and for more. */
void pi_linear_decode(const struct pi_step *step, const struct pi_op *op,
                      const struct pi_linear *linear, size_t part, const struct pi_activation *x,
                      struct pi_worker *worker, struct pi_scratch scratch);
void pi_linear_prompt(const struct pi_step *step, const struct pi_op *op,
                      const struct pi_linear *linear, size_t part, const struct pi_activation *x,
                      struct pi_worker *worker, struct pi_scratch scratch);

/* silu(gate) * up of a gate-up op, in the same two ways. */
void pi_gate_up_decode(const struct pi_step *step, const struct pi_op *op,
                       const struct pi_activation *x, struct pi_worker *worker,
                       struct pi_scratch scratch);
void pi_gate_up_prompt(const struct pi_step *step, const struct pi_op *op,
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

/* Adds bias, then the residual, and stores: out[t][col ...] of n_cols columns. */
void pi_linear_store(const struct pi_step *step, const struct pi_op *op,
                     const struct pi_linear *linear, size_t begin, size_t n_tokens, size_t col,
                     size_t n_cols, const float *from, size_t from_stride);

/* Stores silu(gate) * up. */
void pi_linear_store_swiglu(const struct pi_step *step, const struct pi_op *op, size_t begin,
                            size_t n_tokens, size_t col, size_t n_cols, const float *gate,
                            const float *up, size_t stride);

#endif
