/* Threaded operations: what is split over workers, and how. Every op function runs on all workers
 * in lockstep (single program, multiple data) and may hold barriers inside; results do not depend on
 * the number of workers.
 *
 * Letters: T tokens (rows), D width, H query heads, G kv heads, K head size, V vocabulary.
 */
#ifndef PYINFER_OPS_H
#define PYINFER_OPS_H

#include "pyinfer/runtime.h"

/* Row-major f32 matrix; row t starts at data + t * stride. Columns beyond the valid ones are zero. */
struct pi_matrix {
    float *data;
    size_t stride;
};

/* Packed weights of one format: n_panels * 16 rows, n_groups * 128 inputs. */
struct pi_weight {
    const uint8_t *panels;
    enum pi_format format;
    size_t n_panels;
    size_t n_groups;
};

/* Consecutive tokens of one sequence in a step. */
struct pi_span {
    size_t first_row;
    size_t n_rows;
    size_t start;          /* position of the first row: tokens cached before */
    const int32_t *blocks; /* block table, ceil((start + n_rows) / 64) entries */
    /* The last n_kept rows are those that somebody reads: rows first_kept on of the kept ones. */
    size_t first_kept;
    size_t n_kept;
};

/* Everything that changes from step to step. */
struct pi_frame {
    size_t n_rows;            /* T */
    const int32_t *tokens;    /* [T] */
    const int32_t *positions; /* [T] */
    size_t n_spans;
    const struct pi_span *spans;
    size_t n_logit_rows;
    const int32_t *logit_rows; /* rows whose logits are wanted, ascending */
    const int32_t *logit_kept; /* the same, counted among the kept rows */
    size_t n_kept;
    const int32_t *kept_rows; /* rows that somebody reads, ascending; logit_rows are among them */
    float *logits;            /* [n_logit_rows][logits_stride] */
    size_t logits_stride;
    size_t n_candidates;       /* wanted per row */
    int32_t *candidate_ids;    /* [n_logit_rows][n_candidates] */
    float *candidate_values;   /* same shape, descending; ties by ascending id */
    int32_t *candidate_counts; /* [n_logit_rows] */
    double *log_sum_exp;       /* [n_logit_rows], over the valid ids */
    int32_t *finite;           /* [n_logit_rows] */
    const _Atomic int32_t *cancel;
};

/* Paged key-value cache of one layer. Block b, head g starts at base + b * block_stride +
 * g * head_stride. */
struct pi_kv {
    enum pi_kv_format format;
    uint8_t *base;
    size_t block_stride;
    size_t head_stride;
};

enum pi_op_kind {
    PI_OP_EMBED = 0,
    PI_OP_LINEAR,
    PI_OP_GATE_UP,
    PI_OP_ATTENTION,
    PI_OP_HEAD,
};

#define PI_MAX_PARTS 3

/* out = (norm(in) or in) x weights + bias, then + residual. The parts are stacked along the output:
 * part i starts at column out_col[i]. For PI_OP_GATE_UP: out = silu(in x part 0) * (in x part 1). */
struct pi_linear {
    size_t n_parts;
    struct pi_weight part[PI_MAX_PARTS];
    size_t out_col[PI_MAX_PARTS];
    size_t n_groups;
    const float *norm; /* [n_groups * 128] zero padded, or NULL */
    size_t norm_n;     /* inputs that count for the mean */
    float eps;
    const float *bias; /* [columns of out], or NULL */
    /* Prompts: a gate-up op leaves its output quantized in pi_shared.hidden, the op behind it, its
     * only reader, finds its input there. */
    bool hidden_out, hidden_in;
};

/* Norms q and k per head if there are weights for it, rotates them, appends k and v, attends. Columns
 * of `in`: q heads at 0, k heads at k_col, v heads at v_col. */
struct pi_attention {
    struct pi_kv kv;
    size_t n_heads, n_kv_heads, head_dim;
    size_t k_col, v_col;
    float scale;                  /* 1 / sqrt(K) */
    const float *q_norm, *k_norm; /* [K rounded up to 16] zero padded, or NULL */
    float eps;
};

/* Row of the token from the embedding matrix; also fills the rotation table of the step. */
struct pi_embed {
    struct pi_weight weight;
};

struct pi_head {
    struct pi_linear linear; /* with the final norm */
    size_t n_valid;          /* ids that may be sampled */
};

union pi_op_body {
    struct pi_embed embed;
    struct pi_linear linear;
    struct pi_attention attention;
    struct pi_head head;
};

/* Behind the keys and values of the last layer only rows that somebody reads matter: attention may
 * leave out the others (kept_out), and what follows then works on kept rows alone (kept_in). */
struct pi_op {
    enum pi_op_kind kind;
    bool kept_in, kept_out;
    bool gathers; /* `residual` has all rows: those of the kept ones are read */
    struct pi_matrix in, out, residual; /* residual.data NULL = none */
    union pi_op_body u;
};

/* Rows of the input of a linear or gate-up op. */
PI_INLINE size_t pi_op_rows(const struct pi_frame *frame, const struct pi_op *op) {
    return op->kept_in ? frame->n_kept : frame->n_rows;
}

/* Rotary embedding facts and the table of the current step. */
struct pi_rope {
    const double *inverse_frequency; /* [half] */
    double attention_factor;         /* YaRN: multiplies cos and sin */
    size_t half;                     /* K / 2 */
    float *cos, *sin;                /* [max_rows][half] */
};

/* Buffers shared by the workers during a step, sized for max_rows. */
struct pi_shared {
    struct pi_rope rope;
    float *normed; /* [max_rows][normed_stride] */
    size_t normed_stride;
    struct pi_a8_group *a8;           /* [max_rows * max groups] */
    struct pi_a8_group *hidden;       /* same size: quantized output of gate-up */
    float *partials;                  /* attention partials when one head is split over workers */
    struct pi_head_stats *head_stats; /* [max_logit_rows][chunks of V] */
    size_t max_segments;              /* 512-token segments of the longest sequence */
};

/* What an op sees. */
struct pi_step {
    struct pi_runtime *rt;
    const struct pi_frame *frame;
    const struct pi_shared *shared;
};

typedef void pi_op_fn(const struct pi_step *step, const struct pi_op *op, struct pi_worker *worker);
pi_op_fn pi_op_embed;
pi_op_fn pi_op_linear;
pi_op_fn pi_op_gate_up;
pi_op_fn pi_op_attention;
pi_op_fn pi_op_head;

/* Runs the op of its kind. */
pi_op_fn pi_op_run;

/* What the worker will read first of the weights of an op; no streams if that is unknown. */
void pi_op_ahead(const struct pi_step *step, const struct pi_op *op, const struct pi_worker *worker,
                 struct pi_ahead *ahead);

/* Private bytes that a worker needs for an op. */
size_t pi_op_scratch_bytes(const struct pi_op *op);

/* Floats of pi_shared.partials needed by an attention op. */
size_t pi_attention_partials(const struct pi_attention *op, size_t n_threads, size_t max_segments);

/* Packs rows of a file into panels on all workers: n_rows rows of n_cols inputs in `from`, into
 * ceil(n_rows / 16) panels of format `to`. If the formats differ, rows of a format of files only are
 * rewritten exactly for the panels that hold them; all others are quantized on the way. */
struct pi_pack_job {
    uint8_t *panels;
    enum pi_format to;
    const uint8_t *rows;
    enum pi_format from;
    size_t row_bytes;
    size_t n_rows;
    size_t n_cols;
};
enum pi_status pi_pack_rows(struct pi_runtime *rt, const struct pi_pack_job *job);

/* One tensor, or rows of it, in an open file: a matrix that goes into pack.panels (pack.rows is not
 * used), or one row that goes into `values` as f32 (the panels and `to` are not used then). */
struct pi_file_job {
    int32_t fd;
    uint64_t offset; /* of the first row */
    struct pi_pack_job pack;
    float *values;
};

/* Where reading failed: error is an errno, 0 if the file ends there. */
struct pi_file_failure {
    size_t job;
    uint64_t offset;
    int32_t error;
};

/* Reads and packs on all workers; each reads what it packs, so bytes pass through its own cache and
 * a worker that waits for the disk does not hold up the others. PI_ERR_IO fills *failure. */
enum pi_status pi_pack_files(struct pi_runtime *rt, const struct pi_file_job *jobs, size_t n_jobs,
                             struct pi_file_failure *failure);

/* Checksums of `data`, one per PI_CHECKSUM_BYTES (the last one may cover less), on all workers. Any
 * change inside 8 aligned bytes changes the sum; not made against somebody who wants a collision. */
#define PI_CHECKSUM_BYTES ((size_t)1 << 20)
enum pi_status pi_checksums(struct pi_runtime *rt, const uint8_t *data, size_t bytes,
                            uint64_t *sums);

#endif
