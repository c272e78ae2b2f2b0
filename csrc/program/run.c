/* Replay of a program. */
#include "pyinfer/program.h"

struct run_context {
    const struct pi_program *program;
    struct pi_step step;
    _Atomic size_t stop_after; /* index of the last op to run; worker 0 decides */
};

/* All workers must leave after the same op, or barriers would not match. Worker 0 writes the index
 * before it arrives at the barrier of that op, so everybody reads it after the barrier; a later
 * write names a later op and does not disturb a slow reader. */
static void run_worker(void *context, struct pi_worker *worker) {
    struct run_context *c = context;
    const struct pi_program *program = c->program;
    for (size_t i = 0; i < program->n_ops; i++) {
        pi_op_run(&c->step, &program->ops[i], worker);
        const _Atomic int32_t *cancel = c->step.frame->cancel;
        if (worker->id == 0 && cancel != NULL &&
            atomic_load_explicit(cancel, memory_order_relaxed) != 0) {
            size_t none = SIZE_MAX;
            atomic_compare_exchange_strong(&c->stop_after, &none, i);
        }
        if (i + 1 == program->n_ops) {
            return; /* the pool's own barrier follows */
        }
        pi_barrier(worker);
        if (atomic_load_explicit(&c->stop_after, memory_order_relaxed) <= i) {
            return;
        }
    }
}

static size_t scratch_bytes(const struct pi_program *program) {
    size_t most = 0;
    for (size_t i = 0; i < program->n_ops; i++) {
        const size_t bytes = pi_op_scratch_bytes(&program->ops[i], program->shared.max_segments);
        most = bytes > most ? bytes : most;
    }
    return most;
}

enum pi_status pi_program_run(struct pi_runtime *rt, const struct pi_program *program,
                              const struct pi_frame *frame) {
    struct run_context context = {
        .program = program,
        .step = {.rt = rt, .frame = frame, .shared = &program->shared},
        .stop_after = SIZE_MAX,
    };
    const enum pi_status status =
        pi_pool_run(rt, run_worker, &context, scratch_bytes(program), frame->cancel);
    if (status != PI_OK) {
        return status;
    }
    /* A worker that skipped work saw the flag, and the flag stays up until the caller lowers it. */
    const bool cancelled =
        frame->cancel != NULL && atomic_load_explicit(frame->cancel, memory_order_relaxed) != 0;
    return cancelled ? PI_ERR_CANCELLED : PI_OK;
}
