/* Packing of file rows into panels, split over panels; quantizes on the way if asked to. */
#include "ops/activation.h"
#include "pyinfer/qtype.h"

/* One panel whose rows change format: file row -> f32 -> target blocks -> panel. */
static void convert_panel(const struct pi_kernels *kernels, const struct pi_pack_job *job,
                          const uint8_t *rows, size_t n_rows, uint8_t *panel,
                          struct pi_scratch scratch) {
    const struct pi_qtype *to = pi_qtype_of(job->to);
    const size_t row_bytes = job->n_cols / to->block_inputs * to->block_bytes;
    float *values = pi_scratch_take(&scratch, job->n_cols * sizeof *values);
    uint8_t *blocks = pi_scratch_take(&scratch, PI_PANEL_ROWS * row_bytes);
    for (size_t r = 0; r < n_rows; r++) {
        kernels->dequantize[job->from](values, rows + r * job->row_bytes, job->n_cols);
        kernels->quantize[job->to](blocks + r * row_bytes, values, job->n_cols);
    }
    kernels->pack[job->to](panel, blocks, row_bytes, n_rows, job->n_cols);
}

struct pack_context {
    const struct pi_kernels *kernels;
    const struct pi_pack_job *job;
};

static void pack_worker(void *context, struct pi_worker *worker) {
    const struct pack_context *c = context;
    const struct pi_pack_job *job = c->job;
    const size_t panel_bytes =
        pi_ceil_div(job->n_cols, PI_GROUP_INPUTS) * pi_qtype_of(job->to)->group_bytes;
    const struct pi_split split = {pi_ceil_div(job->n_rows, PI_PANEL_ROWS), 1, 4};
    struct pi_chunk chunk;
    pi_split_begin(worker, &split);
    while (pi_split_next(worker, &split, &chunk)) {
        for (size_t p = chunk.first[0]; p < chunk.first[0] + chunk.count[0]; p++) {
            const size_t first = p * PI_PANEL_ROWS;
            const size_t n_rows = pi_min_size(PI_PANEL_ROWS, job->n_rows - first);
            const uint8_t *rows = job->rows + first * job->row_bytes;
            uint8_t *panel = job->panels + p * panel_bytes;
            if (job->from == job->to) {
                c->kernels->pack[job->to](panel, rows, job->row_bytes, n_rows, job->n_cols);
            } else {
                convert_panel(c->kernels, job, rows, n_rows, panel, pi_scratch_of(worker));
            }
        }
    }
}

enum pi_status pi_pack_rows(struct pi_runtime *rt, const struct pi_pack_job *job) {
    const struct pi_qtype *from = pi_qtype_of(job->from);
    const struct pi_qtype *to = pi_qtype_of(job->to);
    if (from == NULL || to == NULL || job->n_cols % from->block_inputs != 0 ||
        job->n_cols % to->block_inputs != 0) {
        return PI_ERR_ARG;
    }
    struct pack_context context = {&rt->kernels, job};
    const size_t scratch =
        job->from == job->to ? 0 : (PI_PANEL_ROWS + 1) * job->n_cols * sizeof(float) + 4096;
    return pi_pool_run(rt, pack_worker, &context, scratch, NULL);
}
