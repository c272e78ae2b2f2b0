/* Matrix products of a linear op and of gate-up: input, way (decode or prompt), storing. */
#include "ops/linear.h"
#include "ops/linear_decode.h"
#include "ops/linear_prompt.h"

size_t pi_linear_scratch_bytes(const struct pi_linear *linear) {
    const size_t decode = pi_linear_decode_scratch_bytes();
    const size_t prompt = pi_linear_prompt_scratch_bytes();
    return pi_activation_scratch_bytes(linear) + (decode > prompt ? decode : prompt);
}

void pi_linear_run(const struct pi_step *step, const struct pi_op *op,
                   const struct pi_linear *linear, const int32_t *row_of, size_t n_tokens,
                   struct pi_worker *worker) {
    if (n_tokens == 0) {
        return;
    }
    struct pi_scratch scratch = pi_scratch_of(worker);
    const struct pi_activation x =
        pi_activation_prepare(step, linear, &op->in, row_of, n_tokens, worker, &scratch);
    for (size_t i = 0; i < linear->n_parts; i++) {
        if (n_tokens <= PI_TILE_TOKENS) {
            pi_linear_decode(step, op, linear, i, &x, worker, scratch);
        } else {
            pi_linear_prompt(step, op, linear, i, &x, worker, scratch);
        }
    }
}

void pi_op_linear(const struct pi_step *step, const struct pi_op *op, struct pi_worker *worker) {
    pi_linear_run(step, op, &op->u.linear, NULL, pi_op_rows(step->frame, op), worker);
}

void pi_op_gate_up(const struct pi_step *step, const struct pi_op *op, struct pi_worker *worker) {
    struct pi_scratch scratch = pi_scratch_of(worker);
    const size_t n_tokens = pi_op_rows(step->frame, op);
    if (n_tokens == 0) {
        return;
    }
    const struct pi_activation x =
        pi_activation_prepare(step, &op->u.linear, &op->in, NULL, n_tokens, worker, &scratch);
    if (n_tokens <= PI_TILE_TOKENS) {
        pi_gate_up_decode(step, op, &x, worker, scratch);
    } else {
        pi_gate_up_prompt(step, op, &x, worker, scratch);
    }
}
