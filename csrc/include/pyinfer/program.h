/* A recorded model: the ops of one step, replayed by all workers with a barrier after each op. */
#ifndef PYINFER_PROGRAM_H
#define PYINFER_PROGRAM_H

#include "pyinfer/ops.h"

struct pi_program {
    const struct pi_op *ops;
    size_t n_ops;
    struct pi_shared shared;
};

/* Runs every op for the frame. PI_ERR_CANCELLED if the frame's cancel flag was seen: the step is
 * incomplete and may be run again, cache writes being idempotent. */
enum pi_status pi_program_run(struct pi_runtime *rt, const struct pi_program *program,
                              const struct pi_frame *frame);

#endif
