/* Packing of file rows into panels, split over panels; changes the format on the way if asked to.
 * Rows come from memory, or are read from open files by the workers themselves. */
#include "ops/activation.h"
#include "pyinfer/qtype.h"

/* One panel whose rows change format: file row -> target blocks -> panel. Blocks of a format that
 * has no panels are rewritten exactly if the target holds their values, others go through f32. */
static void convert_panel(const struct pi_kernels *kernels, const struct pi_pack_job *job,
                          const uint8_t *rows, size_t n_rows, uint8_t *panel,
                          struct pi_scratch scratch) {
    const struct pi_qtype *to = pi_qtype_of(job->to);
    const size_t row_bytes = job->n_cols / to->block_inputs * to->block_bytes;
    const bool exact = pi_qtype_of(job->from)->panel == job->to;
    float *values = pi_scratch_take(&scratch, job->n_cols * sizeof *values);
    uint8_t *blocks = pi_scratch_take(&scratch, PI_PANEL_ROWS * row_bytes);
    for (size_t r = 0; r < n_rows; r++) {
        const uint8_t *row = rows + r * job->row_bytes;
        if (exact) {
            kernels->transcode[job->from](blocks + r * row_bytes, row, job->n_cols);
            continue;
        }
        kernels->dequantize[job->from](values, row, job->n_cols);
        kernels->quantize[job->to](blocks + r * row_bytes, values, job->n_cols);
    }
    kernels->pack[job->to](panel, blocks, row_bytes, n_rows, job->n_cols);
}

static size_t panel_bytes(const struct pi_pack_job *job) {
    return pi_ceil_div(job->n_cols, PI_GROUP_INPUTS) * pi_qtype_of(job->to)->group_bytes;
}

static void pack_panel(const struct pi_kernels *kernels, const struct pi_pack_job *job,
                       const uint8_t *rows, size_t n_rows, uint8_t *panel,
                       struct pi_scratch scratch) {
    if (job->from == job->to) {
        kernels->pack[job->to](panel, rows, job->row_bytes, n_rows, job->n_cols);
    } else {
        convert_panel(kernels, job, rows, n_rows, panel, scratch);
    }
}

static bool blocks_fit(const struct pi_pack_job *job) {
    const struct pi_qtype *from = pi_qtype_of(job->from);
    const struct pi_qtype *to = pi_qtype_of(job->to);
    return from != NULL && to != NULL && to->group_bytes > 0 &&
           job->n_cols % from->block_inputs == 0 && job->n_cols % to->block_inputs == 0;
}

static size_t convert_scratch(const struct pi_pack_job *job) {
    return job->from == job->to ? 0 : (PI_PANEL_ROWS + 1) * job->n_cols * sizeof(float) + 4096;
}

struct pack_context {
    const struct pi_kernels *kernels;
    const struct pi_pack_job *job;
};

static void pack_worker(void *context, struct pi_worker *worker) {
    const struct pack_context *c = context;
    const struct pi_pack_job *job = c->job;
    const struct pi_split split = {pi_ceil_div(job->n_rows, PI_PANEL_ROWS), 1, 4};
    struct pi_chunk chunk;
    pi_split_begin(worker, &split);
    while (pi_split_next(worker, &split, &chunk)) {
        for (size_t p = chunk.first[0]; p < chunk.first[0] + chunk.count[0]; p++) {
            const size_t first = p * PI_PANEL_ROWS;
            pack_panel(c->kernels, job, job->rows + first * job->row_bytes,
                       pi_min_size(PI_PANEL_ROWS, job->n_rows - first),
                       job->panels + p * panel_bytes(job), pi_scratch_of(worker));
        }
    }
}

enum pi_status pi_pack_rows(struct pi_runtime *rt, const struct pi_pack_job *job) {
    if (!blocks_fit(job)) {
        return PI_ERR_ARG;
    }
    struct pack_context context = {&rt->kernels, job};
    return pi_pool_run(rt, pack_worker, &context, convert_scratch(job), NULL);
}

/* Rows that one read brings in: about 256 KiB, which stay in the second-level cache until they are
 * packed, but whole panels. */
#define READ_BYTES ((size_t)256 << 10)
/* Panels that one worker packs in a row: about 4 MiB, so that two workers seldom meet in a huge page
 * (both would clear it). */
#define CHUNK_BYTES ((size_t)4 << 20)

static size_t panels_per_read(const struct pi_pack_job *job) {
    const size_t panel = PI_PANEL_ROWS * job->row_bytes;
    return panel < READ_BYTES ? READ_BYTES / panel : 1;
}

static size_t panels_per_chunk(const struct pi_pack_job *job) {
    const size_t reads = CHUNK_BYTES / (panels_per_read(job) * panel_bytes(job));
    return panels_per_read(job) * (reads > 0 ? reads : 1);
}

static size_t chunks_of(const struct pi_file_job *job) {
    if (job->values != NULL) {
        return 1;
    }
    return pi_ceil_div(pi_ceil_div(job->pack.n_rows, PI_PANEL_ROWS), panels_per_chunk(&job->pack));
}

struct file_context {
    const struct pi_kernels *kernels;
    const struct pi_file_job *jobs;
    size_t n_chunks;
    _Atomic int32_t failed; /* the first failure owns the report */
    struct pi_file_failure *failure;
};

static bool read_piece(struct file_context *c, const struct pi_file_job *job, uint64_t offset,
                       uint8_t *out, size_t bytes) {
    struct pi_file_failure failure = {.job = (size_t)(job - c->jobs)};
    size_t done = 0;
    if (pi_file_read(job->fd, offset, out, bytes, &done, &failure.error)) {
        return true;
    }
    failure.offset = offset + done;
    if (atomic_exchange(&c->failed, 1) == 0) {
        *c->failure = failure;
    }
    return false;
}

static void read_vector(struct file_context *c, const struct pi_file_job *job,
                        struct pi_scratch scratch) {
    uint8_t *row = pi_scratch_take(&scratch, job->pack.row_bytes);
    if (read_piece(c, job, job->offset, row, job->pack.row_bytes)) {
        c->kernels->dequantize[job->pack.from](job->values, row, job->pack.n_cols);
    }
}

static void read_panels(struct file_context *c, const struct pi_file_job *job, size_t chunk,
                        struct pi_scratch scratch) {
    const struct pi_pack_job *pack = &job->pack;
    const size_t step = panels_per_read(pack) * PI_PANEL_ROWS;
    const size_t begin = chunk * panels_per_chunk(pack) * PI_PANEL_ROWS;
    const size_t end = pi_min_size(begin + panels_per_chunk(pack) * PI_PANEL_ROWS, pack->n_rows);
    uint8_t *rows = pi_scratch_take(&scratch, step * pack->row_bytes);
    const size_t ahead = (end - begin) * pack->row_bytes;
    pi_file_read_ahead(job->fd, job->offset + begin * pack->row_bytes, 3 * ahead);
    for (size_t first = begin; first < end; first += step) {
        const size_t count = pi_min_size(step, end - first);
        if (atomic_load_explicit(&c->failed, memory_order_relaxed) != 0 ||
            !read_piece(c, job, job->offset + first * pack->row_bytes, rows,
                        count * pack->row_bytes)) {
            return;
        }
        for (size_t r = 0; r < count; r += PI_PANEL_ROWS) {
            pack_panel(c->kernels, pack, rows + r * pack->row_bytes,
                       pi_min_size(PI_PANEL_ROWS, count - r),
                       pack->panels + (first + r) / PI_PANEL_ROWS * panel_bytes(pack), scratch);
        }
    }
}

static void file_worker(void *context, struct pi_worker *worker) {
    struct file_context *c = context;
    const struct pi_split split = {c->n_chunks, 1, 1};
    struct pi_chunk chunk;
    pi_split_begin(worker, &split);
    while (pi_split_next(worker, &split, &chunk)) {
        size_t index = chunk.first[0];
        const struct pi_file_job *job = c->jobs;
        while (index >= chunks_of(job)) {
            index -= chunks_of(job++);
        }
        if (job->values != NULL) {
            read_vector(c, job, pi_scratch_of(worker));
        } else {
            read_panels(c, job, index, pi_scratch_of(worker));
        }
    }
}

enum pi_status pi_pack_files(struct pi_runtime *rt, const struct pi_file_job *jobs, size_t n_jobs,
                             struct pi_file_failure *failure) {
    struct file_context context = {.kernels = &rt->kernels, .jobs = jobs, .failure = failure};
    size_t scratch = 0;
    for (size_t i = 0; i < n_jobs; i++) {
        const struct pi_pack_job *pack = &jobs[i].pack;
        if (!blocks_fit(pack)) {
            return PI_ERR_ARG;
        }
        const size_t rows = jobs[i].values == NULL ? panels_per_read(pack) * PI_PANEL_ROWS : 1;
        const size_t bytes = pi_round_up(rows * pack->row_bytes, PI_LINE_BYTES);
        const size_t needed = bytes + convert_scratch(pack);
        scratch = needed > scratch ? needed : scratch;
        context.n_chunks += chunks_of(&jobs[i]);
    }
    const enum pi_status status = pi_pool_run(rt, file_worker, &context, scratch, NULL);
    return status != PI_OK || context.failed == 0 ? status : PI_ERR_IO;
}
