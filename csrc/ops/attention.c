/* Attention: norm and rotate q and k, append k and v, attend per kv head.
 *
 * When every sequence has one new token (decode), one worker does all of that for its (row, head)
 * without a barrier. Otherwise rotation and append are shared out first, then tiles of query tokens.
 * When there are fewer (row, head) units than workers, the fixed 512-token segments of one unit are
 * spread over workers and merged in ascending order: same bits either way. */
#include "ops/activation.h"
#include "pyinfer/ops.h"
#include <string.h>

/* Rows of a query tile: a multiple of 16 queries for any head group, as the kernels like it. */
#define QUERY_TILE_TOKENS 16
#define SPLIT_UNITS 4 /* per worker: from here on whole units balance well enough */

struct shape {
    size_t group;    /* query heads per kv head */
    size_t v_stride; /* K rounded up to 16 */
    size_t groups;   /* of 128 values per head */
    size_t part;     /* floats of one query's partial: m, l, o */
};

static struct shape shape_of(const struct pi_attention *a) {
    const size_t v_stride = pi_round_up(a->head_dim, PI_PANEL_ROWS);
    return (struct shape){
        .group = a->n_heads / a->n_kv_heads,
        .v_stride = v_stride,
        .groups = pi_ceil_div(a->head_dim, PI_GROUP_INPUTS),
        .part = 1 + PI_KV_TILE_TOKENS + v_stride,
    };
}

static size_t segments_of(size_t n_tokens) { return pi_ceil_div(n_tokens, PI_KV_SEGMENT_TOKENS); }

size_t pi_attention_scratch_bytes(const struct pi_attention *a) {
    const struct shape shape = shape_of(a);
    const size_t queries = QUERY_TILE_TOKENS * shape.group;
    return sizeof(float) * queries * (shape.v_stride + shape.part * 2) + sizeof(int32_t) * queries +
           sizeof(float) * shape.groups * PI_GROUP_INPUTS +
           sizeof(struct pi_a8_group) * queries * shape.groups + 8 * PI_LINE_BYTES;
}

size_t pi_attention_partials(const struct pi_attention *a, size_t n_threads, size_t max_segments) {
    const struct shape shape = shape_of(a);
    return SPLIT_UNITS * n_threads * shape.group * shape.part * max_segments;
}

/* Partials of n_queries queries, each [slot][query]. */
struct partials {
    float *m, *l, *o;
    size_t n_queries;
};

static struct partials partials_at(float *memory, size_t n_queries, size_t n_slots,
                                   size_t v_stride) {
    const size_t n = n_slots * n_queries;
    float *o = memory + n * PI_KV_TILE_TOKENS;
    return (struct partials){.l = memory, .o = o, .m = o + n * v_stride, .n_queries = n_queries};
}

static uint8_t *head_of_block(const struct pi_attention *a, size_t head) {
    return a->kv.base + head * a->kv.head_stride;
}

/* One head: x holds K values, with room for K rounded up to 16. */
static void norm_and_rotate(const struct pi_step *step, const struct pi_attention *a, float *x,
                            const float *norm, size_t row, float scale) {
    const struct pi_rope *rope = &step->shared->rope;
    if (norm != NULL) {
        const size_t padded = pi_round_up(a->head_dim, PI_PANEL_ROWS);
        memset(x + a->head_dim, 0, (padded - a->head_dim) * sizeof *x);
        step->rt->kernels.rmsnorm(x, x, norm, a->head_dim, padded, a->eps);
    }
    step->rt->kernels.rope(x, rope->cos + row * rope->half, rope->sin + row * rope->half,
                           a->head_dim / 2, scale);
}

/* Norms and rotates k of one row and head into `k` and appends it with v. */
static void append(const struct pi_step *step, const struct pi_op *op, const struct pi_span *span,
                   size_t row, size_t head, float *k) {
    const struct pi_attention *a = &op->u.attention;
    const float *in = op->in.data + row * op->in.stride;
    const size_t position = span->start + (row - span->first_row);
    const size_t block = (size_t)span->blocks[position / PI_KV_BLOCK_TOKENS];
    memcpy(k, in + a->k_col + head * a->head_dim, a->head_dim * sizeof *k);
    norm_and_rotate(step, a, k, a->k_norm, row, 1.0f);
    const struct pi_kernels *kernels = &step->rt->kernels;
    kernels->kv_append[a->kv.format](
        head_of_block(a, head) + block * a->kv.block_stride, k, in + a->v_col + head * a->head_dim,
        position % PI_KV_BLOCK_TOKENS, a->head_dim, pi_round_up(a->head_dim, PI_PANEL_ROWS));
}

struct unit {
    const struct pi_span *span;
    size_t row, n_rows, head;
    size_t out_row; /* of the first row */
};

/* Rows of a span that are attended for: the last of them, as many as the op keeps. */
static size_t attended_rows(const struct pi_op *op, const struct pi_span *span) {
    return op->kept_out ? span->n_kept : span->n_rows;
}

static size_t out_row_of(const struct pi_op *op, const struct pi_span *span, size_t row) {
    return op->kept_out ? span->first_kept + row - (span->first_row + span->n_rows - span->n_kept)
                        : row;
}

/* Scratch of one unit. */
struct unit_buffers {
    float *q;               /* [query][v_stride] */
    struct pi_a8_group *q8; /* [query][groups], q8_0 cache only */
    float *row;             /* one head, padded to whole groups */
    int32_t *limit;
    struct partials partials;
};

/* Queries of the unit, normed, rotated and scaled, row-major [row][head of group]. */
static void gather_queries(const struct pi_step *step, const struct pi_op *op,
                           const struct unit *unit, const struct unit_buffers *b) {
    const struct pi_attention *a = &op->u.attention;
    const struct shape shape = shape_of(a);
    const size_t padding = shape.groups * PI_GROUP_INPUTS - a->head_dim;
    memset(b->row + a->head_dim, 0, padding * sizeof *b->row);
    for (size_t i = 0; i < unit->n_rows * shape.group; i++) {
        const size_t row = unit->row + i / shape.group;
        const size_t head = unit->head * shape.group + i % shape.group;
        float *q = a->kv.format == PI_KV_Q8_0 ? b->row : b->q + i * shape.v_stride;
        memcpy(q, op->in.data + row * op->in.stride + head * a->head_dim, a->head_dim * sizeof *q);
        norm_and_rotate(step, a, q, a->q_norm, row, a->scale);
        b->limit[i] = (int32_t)(unit->span->start + (row - unit->span->first_row) + 1);
        if (a->kv.format == PI_KV_Q8_0) {
            step->rt->kernels.act_a8(b->q8 + i * shape.groups, 1, q, shape.groups);
        }
    }
}

static void attend_segment(const struct pi_step *step, const struct pi_op *op,
                           const struct unit *unit, const struct unit_buffers *b, size_t segment,
                           size_t slot) {
    const struct pi_attention *a = &op->u.attention;
    const struct shape shape = shape_of(a);
    const struct partials *to = &b->partials;
    const size_t n = to->n_queries;
    const size_t visible = (size_t)b->limit[n - 1];
    const struct pi_attn_args args = {
        .q = b->q,
        .q_stride = shape.v_stride,
        .q8 = b->q8,
        .q8_stride = shape.groups,
        .limit = b->limit,
        .n_queries = n,
        .head_dim = a->head_dim,
        .v_stride = shape.v_stride,
        .kv = head_of_block(a, unit->head),
        .block_stride = a->kv.block_stride,
        .block_table = unit->span->blocks,
        .first = segment * PI_KV_SEGMENT_TOKENS,
        .last = pi_min_size((segment + 1) * PI_KV_SEGMENT_TOKENS, visible),
        .end = visible,
        .m = to->m + slot * n,
        .l = to->l + slot * n * PI_KV_TILE_TOKENS,
        .o = to->o + slot * n * shape.v_stride,
    };
    const struct pi_kernels *kernels = &step->rt->kernels;
    kernels->attn_kv[a->kv.format](&args);
}

/* Query i of the unit: n_slots partials merged into the first, or as the result into out. */
static void merge_query(const struct pi_step *step, const struct pi_attention *a, size_t i,
                        size_t n_slots, const struct partials *from, float *out) {
    const struct shape shape = shape_of(a);
    const size_t n = from->n_queries;
    const struct pi_attn_merge_args args = {
        .m = from->m + i,
        .l = from->l + i * PI_KV_TILE_TOKENS,
        .o = from->o + i * shape.v_stride,
        .m_step = n,
        .l_step = n * PI_KV_TILE_TOKENS,
        .o_step = n * shape.v_stride,
        .n_parts = n_slots,
        .head_dim = a->head_dim,
        .out = out,
    };
    step->rt->kernels.attn_merge(&args);
}

static float *output_of(const struct pi_op *op, const struct unit *unit, size_t i) {
    const struct pi_attention *a = &op->u.attention;
    const size_t group = a->n_heads / a->n_kv_heads;
    return op->out.data + (unit->out_row + i / group) * op->out.stride +
           (unit->head * group + i % group) * a->head_dim;
}

static struct unit_buffers take_buffers(const struct pi_step *step, const struct pi_attention *a,
                                        size_t n_rows, struct pi_worker *worker, float *partials) {
    const struct shape shape = shape_of(a);
    const size_t n = n_rows * shape.group;
    const size_t n_slots = partials == NULL ? 2 : step->shared->max_segments;
    struct pi_scratch scratch = pi_scratch_of(worker);
    struct unit_buffers b;
    b.q = pi_scratch_take(&scratch, n * shape.v_stride * sizeof(float));
    b.q8 = pi_scratch_take(&scratch, n * shape.groups * sizeof *b.q8);
    b.row = pi_scratch_take(&scratch, shape.groups * PI_GROUP_INPUTS * sizeof(float));
    b.limit = pi_scratch_take(&scratch, n * sizeof(int32_t));
    if (partials == NULL) {
        partials = pi_scratch_take(&scratch, n * shape.part * n_slots * sizeof(float));
    }
    b.partials = partials_at(partials, n, n_slots, shape.v_stride);
    return b;
}

/* Segments are merged as they come: slot 0 holds what is merged, slot 1 the next one. */
static void attend_unit(const struct pi_step *step, const struct pi_op *op, const struct unit *unit,
                        struct pi_worker *worker) {
    const struct pi_attention *a = &op->u.attention;
    struct unit_buffers b = take_buffers(step, a, unit->n_rows, worker, NULL);
    gather_queries(step, op, unit, &b);
    const size_t n = b.partials.n_queries;
    const size_t segments = segments_of((size_t)b.limit[n - 1]);
    for (size_t s = 0; s < segments; s++) {
        attend_segment(step, op, unit, &b, s, s > 0);
        for (size_t i = 0; s > 0 && i < n; i++) {
            if (s < segments_of((size_t)b.limit[i])) {
                merge_query(step, a, i, 2, &b.partials, NULL);
            }
        }
    }
    for (size_t i = 0; i < n; i++) {
        merge_query(step, a, i, 1, &b.partials, output_of(op, unit, i));
    }
}

static const struct pi_span *span_of_row(const struct pi_frame *frame, size_t row) {
    size_t low = 0;
    size_t high = frame->n_spans - 1;
    while (low < high) {
        const size_t middle = (low + high + 1) / 2;
        if (frame->spans[middle].first_row <= row) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    return &frame->spans[low];
}

/* A row of a step whose spans have one row each. */
static struct unit one_row(const struct pi_step *step, const struct pi_op *op, size_t row,
                           size_t head) {
    const struct pi_span *span = &step->frame->spans[row];
    return (struct unit){span, row, 1, head, out_row_of(op, span, row)};
}

/* Every span has one row: a worker does everything for its (row, head). */
static void decode_rows(const struct pi_step *step, const struct pi_op *op,
                        struct pi_worker *worker) {
    const struct pi_attention *a = &op->u.attention;
    const struct pi_split split = {step->frame->n_rows * a->n_kv_heads, 1, 1};
    struct pi_chunk chunk;
    pi_split_begin(worker, &split);
    while (pi_split_next(worker, &split, &chunk)) {
        const size_t row = chunk.first[0] / a->n_kv_heads;
        const struct unit unit = one_row(step, op, row, chunk.first[0] % a->n_kv_heads);
        const struct unit_buffers b = take_buffers(step, a, 1, worker, NULL);
        append(step, op, unit.span, row, unit.head, b.row);
        if (attended_rows(op, unit.span) > 0) {
            attend_unit(step, op, &unit, worker);
        }
    }
}

/* Few (row, head) units and long contexts: the unit is split into segments. */
static void decode_segments(const struct pi_step *step, const struct pi_op *op, size_t n_segments,
                            struct pi_worker *worker) {
    const struct pi_attention *a = &op->u.attention;
    const struct shape shape = shape_of(a);
    const size_t n_units = step->frame->n_rows * a->n_kv_heads;
    const size_t unit_floats = shape.group * shape.part * step->shared->max_segments;
    const struct pi_split split = {n_units * n_segments, 1, 1};
    struct pi_chunk chunk;
    pi_split_begin(worker, &split);
    while (pi_split_next(worker, &split, &chunk)) {
        const size_t index = chunk.first[0] / n_segments;
        const size_t segment = chunk.first[0] % n_segments;
        const size_t row = index / a->n_kv_heads;
        const struct unit unit = one_row(step, op, row, index % a->n_kv_heads);
        const struct unit_buffers b =
            take_buffers(step, a, 1, worker, step->shared->partials + index * unit_floats);
        if (segment == unit.span->start / PI_KV_SEGMENT_TOKENS) {
            append(step, op, unit.span, row, unit.head, b.row);
        }
        if (segment <= unit.span->start / PI_KV_SEGMENT_TOKENS &&
            attended_rows(op, unit.span) > 0) {
            gather_queries(step, op, &unit, &b);
            attend_segment(step, op, &unit, &b, segment, segment);
        }
    }
    pi_barrier(worker);
    const struct pi_split merges = {n_units * shape.group, 1, 1};
    pi_split_begin(worker, &merges);
    while (pi_split_next(worker, &merges, &chunk)) {
        const size_t index = chunk.first[0] / shape.group;
        const struct unit unit = one_row(step, op, index / a->n_kv_heads, index % a->n_kv_heads);
        if (attended_rows(op, unit.span) == 0) {
            continue;
        }
        const struct unit_buffers b =
            take_buffers(step, a, 1, worker, step->shared->partials + index * unit_floats);
        const size_t i = chunk.first[0] % shape.group;
        merge_query(step, a, i, segments_of(unit.span->start + 1), &b.partials,
                    output_of(op, &unit, i));
    }
}

/* Large tiles read the cache less often; small ones keep all workers busy. */
static size_t tile_rows(size_t n_rows, const struct pi_attention *a, size_t n_workers) {
    size_t tile = QUERY_TILE_TOKENS;
    while (tile > 1 && pi_ceil_div(n_rows, tile) * a->n_kv_heads < n_workers) {
        tile /= 2;
    }
    return tile;
}

static void prompt_rows(const struct pi_step *step, const struct pi_op *op,
                        struct pi_worker *worker) {
    const struct pi_frame *frame = step->frame;
    const struct pi_attention *a = &op->u.attention;
    const struct unit_buffers b = take_buffers(step, a, 1, worker, NULL);
    struct pi_chunk chunk;
    const struct pi_split rows = {frame->n_rows, 1, 4};
    pi_split_begin(worker, &rows);
    while (pi_split_next(worker, &rows, &chunk)) {
        for (size_t row = chunk.first[0]; row < chunk.first[0] + chunk.count[0]; row++) {
            for (size_t head = 0; head < a->n_kv_heads; head++) {
                append(step, op, span_of_row(frame, row), row, head, b.row);
            }
        }
    }
    pi_barrier(worker);
    for (size_t i = 0; i < frame->n_spans; i++) {
        const struct pi_span *span = &frame->spans[i];
        const size_t n_rows = attended_rows(op, span);
        const size_t first = span->first_row + span->n_rows - n_rows;
        const size_t tile = tile_rows(n_rows, a, worker->n_workers);
        const size_t n_tiles = pi_ceil_div(n_rows, tile);
        const struct pi_split units = {n_tiles * a->n_kv_heads, 1, 1};
        pi_split_begin(worker, &units);
        while (pi_split_next(worker, &units, &chunk)) {
            const size_t row = chunk.first[0] % n_tiles * tile;
            const struct unit unit = {span, first + row, pi_min_size(tile, n_rows - row),
                                      chunk.first[0] / n_tiles, out_row_of(op, span, first + row)};
            attend_unit(step, op, &unit, worker);
        }
    }
}

void pi_op_attention(const struct pi_step *step, const struct pi_op *op, struct pi_worker *worker) {
    const struct pi_frame *frame = step->frame;
    if (frame->n_spans != frame->n_rows) {
        prompt_rows(step, op, worker);
        return;
    }
    size_t longest = 0;
    for (size_t i = 0; i < frame->n_spans; i++) {
        longest = frame->spans[i].start > longest ? frame->spans[i].start : longest;
    }
    const size_t n_segments = segments_of(longest + 1);
    const size_t n_units = frame->n_rows * op->u.attention.n_kv_heads;
    const bool uneven =
        n_units % worker->n_workers != 0 && n_units < SPLIT_UNITS * worker->n_workers;
    if (n_segments > 1 && uneven) {
        decode_segments(step, op, n_segments, worker);
    } else {
        decode_rows(step, op, worker);
    }
}
