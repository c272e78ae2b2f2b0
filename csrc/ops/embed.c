/* Token embedding, and the rotation table of the step: both split over rows. */
#include "ops/rotation.h"
#include "pyinfer/ops.h"

void pi_op_embed(const struct pi_step *step, const struct pi_op *op, struct pi_worker *worker) {
    const struct pi_frame *frame = step->frame;
    const struct pi_weight *weight = &op->u.embed.weight;
    const struct pi_rope *rope = &step->shared->rope;
    const struct pi_split split = {.n_items = frame->n_rows, .n_streams = 1, .chunk_items = 8};
    struct pi_chunk chunk;
    pi_split_begin(worker, &split);
    while (pi_split_next(worker, &split, &chunk)) {
        for (size_t t = chunk.first[0]; t < chunk.first[0] + chunk.count[0]; t++) {
            step->rt->kernels.embed[weight->format](op->out.data + t * op->out.stride,
                                                    weight->panels, (size_t)frame->tokens[t],
                                                    weight->n_groups);
            pi_rotation_row(rope, frame->positions[t], t);
        }
    }
}
