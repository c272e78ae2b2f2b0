/* Runs one matrix kernel a number of times, for counting its instructions under an emulator: what two runs
 * differ by is the work of the calls between them (tools/count_instructions.py). Not a test. */
#include "pyinfer/fpmode.h"
#include "pyinfer/kernels.h"
#include "pyinfer/qtype.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct job {
    struct pi_kernels kernels;
    enum pi_format format;
    size_t n_panels, n_groups, n_tokens;
    uint8_t *weights;
    void *x;
    float *out;
};

static void run_gemv(const struct job *job) {
    const size_t n_rows = job->n_panels * PI_PANEL_ROWS;
    const struct pi_gemv_args args = {
        .w = {job->weights},
        .out = {job->out},
        .n_streams = 1,
        .n_panels = job->n_panels,
        .n_groups = job->n_groups,
        .n_tokens = job->n_tokens,
        .x = job->x,
        .x_stride = job->n_groups * PI_GROUP_INPUTS,
        .out_stride = n_rows,
        .prefetch_far = 4096,
    };
    job->kernels.gemv[job->format](&args);
}

static void run_gemm(const struct job *job) {
    const struct pi_qtype *q = pi_qtype_of(job->format);
    const size_t tile_bytes = PI_TILE_TOKENS * job->n_groups * sizeof(struct pi_a8_group);
    const struct pi_gemm_args args = {
        .w = job->weights,
        .panel_stride = job->n_groups * q->group_bytes,
        .n_panels = job->n_panels,
        .n_groups = job->n_groups,
        .n_tiles = job->n_tokens / PI_TILE_TOKENS,
        .x = job->x,
        .x_stride = q->quantized ? tile_bytes : job->n_groups * PI_GROUP_INPUTS,
        .out = job->out,
        .out_stride = job->n_panels * PI_PANEL_ROWS,
    };
    job->kernels.gemm[job->format](&args);
}

static void *zeros(size_t bytes) {
    void *memory = aligned_alloc(PI_LINE_BYTES, pi_round_up(bytes, PI_LINE_BYTES));
    if (memory == NULL) {
        exit(2);
    }
    memset(memory, 0, bytes);
    return memory;
}

static int format_of(const char *name, enum pi_format *format) {
    for (*format = 0; *format < PI_FORMAT_COUNT; ++*format) {
        if (strcmp(pi_qtype_of(*format)->name, name) == 0) {
            return 1;
        }
    }
    return 0;
}

int main(int argc, char **argv) {
    struct job job;
    if (argc != 8 || !format_of(argv[2], &job.format) ||
        pi_kernels_init(&job.kernels, pi_level_find(argv[3])) != PI_OK) {
        fprintf(stderr, "gemv|gemm FORMAT LEVEL panels groups tokens calls\n");
        return 2;
    }
    job.n_panels = strtoul(argv[4], NULL, 10);
    job.n_groups = strtoul(argv[5], NULL, 10);
    job.n_tokens = strtoul(argv[6], NULL, 10);
    const size_t n_inputs = job.n_groups * PI_GROUP_INPUTS;
    job.weights = zeros(job.n_panels * job.n_groups * pi_qtype_of(job.format)->group_bytes);
    job.x = zeros(job.n_tokens * n_inputs * sizeof(float));
    job.out = zeros(job.n_tokens * job.n_panels * PI_PANEL_ROWS * sizeof(float));
    const unsigned mode = pi_fpmode_enter();
    for (size_t call = strtoul(argv[7], NULL, 10); call > 0; call--) {
        (strcmp(argv[1], "gemv") == 0 ? run_gemv : run_gemm)(&job);
    }
    pi_fpmode_leave(mode);
    return 0;
}
