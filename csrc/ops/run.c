/* The op table: kind -> function and scratch. */
#include "ops/attention.h"
#include "ops/head.h"
#include "ops/linear.h"
#include "ops/linear_decode.h"

void pi_op_run(const struct pi_step *step, const struct pi_op *op, struct pi_worker *worker) {
    static pi_op_fn *const functions[] = {
        [PI_OP_EMBED] = pi_op_embed,     [PI_OP_LINEAR] = pi_op_linear,
        [PI_OP_GATE_UP] = pi_op_gate_up, [PI_OP_ATTENTION] = pi_op_attention,
        [PI_OP_HEAD] = pi_op_head,
    };
    functions[op->kind](step, op, worker);
}

void pi_op_ahead(const struct pi_step *step, const struct pi_op *op, const struct pi_worker *worker,
                 struct pi_ahead *ahead) {
    *ahead = (struct pi_ahead){.n_streams = 0};
    switch (op->kind) {
    case PI_OP_LINEAR:
    case PI_OP_GATE_UP:
        pi_linear_ahead(step, op, pi_op_rows(step->frame, op), worker, ahead);
        break;
    case PI_OP_HEAD: pi_linear_ahead(step, op, step->frame->n_logit_rows, worker, ahead); break;
    case PI_OP_EMBED:
    case PI_OP_ATTENTION: break;
    }
}

size_t pi_op_scratch_bytes(const struct pi_op *op) {
    switch (op->kind) {
    case PI_OP_LINEAR:
    case PI_OP_GATE_UP: return pi_linear_scratch_bytes(&op->u.linear);
    case PI_OP_ATTENTION: return pi_attention_scratch_bytes(&op->u.attention);
    case PI_OP_HEAD: return pi_head_scratch_bytes(&op->u.head);
    case PI_OP_EMBED: break;
    }
    return PI_LINE_BYTES;
}
