/* Replay of a program. */
#include "pyinfer/program.h"
#include <stdatomic.h>

struct run_context {
    const struct pi_program *program;
    struct pi_step step;
    _Atomic size_t stop_after; /* index of the last op to run; worker 0 decides */
    _Atomic bool incomplete;
};

/* The barrier after op i. The op after it may read no weights (attention): then the one after that
 * is what the waiting worker knows to come. */
static void wait_for_all(const struct run_context *c, struct pi_worker *worker, size_t i) {
    struct pi_ahead ahead = {.n_streams = 0};
    for (size_t next = i + 1; next <= i + 2 && next < c->program->n_ops; next++) {
        pi_op_ahead(&c->step, &c->program->ops[next], worker, &ahead);
        if (ahead.n_streams > 0) {
            break;
        }
    }
    pi_barrier_ahead(worker, ahead.n_streams > 0 ? &ahead : NULL);
}

/* All workers must leave after the same op, or barriers would not match. Worker 0 writes the index
 * before it arrives at the barrier of that op, so everybody reads it after the barrier; a later
 * write names a later op and does not disturb a slow reader. */
static void run_ops(struct run_context *c, struct pi_worker *worker) {
    const struct pi_program *program = c->program;
    const _Atomic int32_t *cancel = c->step.frame->cancel;
    for (size_t i = 0; i < program->n_ops; i++) {
        pi_op_run(&c->step, &program->ops[i], worker);
        if (i + 1 == program->n_ops) {
            return; /* the pool's own barrier follows */
        }
        if (worker->id == 0 && cancel != NULL &&
            atomic_load_explicit(cancel, memory_order_relaxed) != 0) {
            size_t none = SIZE_MAX;
            atomic_compare_exchange_strong(&c->stop_after, &none, i);
        }
        wait_for_all(c, worker, i);
        if (atomic_load_explicit(&c->stop_after, memory_order_relaxed) <= i) {
            return;
        }
    }
}

static void run_worker(void *context, struct pi_worker *worker) {
    struct run_context *c = context;
    run_ops(c, worker);
    if (worker->skipped_work) {
        atomic_store_explicit(&c->incomplete, true, memory_order_relaxed);
    }
}

static size_t scratch_bytes(const struct pi_program *program) {
    size_t most = 0;
    for (size_t i = 0; i < program->n_ops; i++) {
        const size_t bytes = pi_op_scratch_bytes(&program->ops[i]);
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
        .incomplete = false,
    };
    const enum pi_status status =
        pi_pool_run(rt, run_worker, &context, scratch_bytes(program), frame->cancel);
    if (status != PI_OK) {
        return status;
    }
    /* The flag itself may be down again by now, or have come up when all was done. */
    return context.incomplete || context.stop_after != SIZE_MAX ? PI_ERR_CANCELLED : PI_OK;
}
