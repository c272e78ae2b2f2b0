/* Matrix products: decode walks panels as far-apart streams through the GEMV, prompts run blocks of
 * panels through the GEMM in tiles of tokens. Both are split over panels; each output is computed
 * by one worker in one order. */
#include "ops/linear.h"
#include "pyinfer/qtype.h"
#include <string.h>

/* Weights of one block of panels should stay in L2 while all token tiles pass over them. */
#define L2_BLOCK_BYTES ((size_t)256 << 10)
#define MAX_BLOCK_PANELS 16
/* One pass over this many groups keeps a tile of activations (18 KiB) in L1. */
#define K_BLOCK_GROUPS 12
#define TOKEN_BLOCK 64
/* A GEMV chunk: large enough to stream, small enough to steal. */
#define GEMV_CHUNK_BYTES ((size_t)96 << 10)
#define GEMV_MAX_PANELS 16

#define BLOCK_COLS (MAX_BLOCK_PANELS * PI_PANEL_ROWS)

static size_t group_bytes(const struct pi_weight *weight) {
    return pi_qtype_of(weight->format)->group_bytes;
}

static size_t panel_bytes(const struct pi_weight *weight) {
    return weight->n_groups * group_bytes(weight);
}

size_t pi_linear_scratch_bytes(const struct pi_linear *linear) {
    return pi_activation_scratch_bytes(linear) + 2 * TOKEN_BLOCK * BLOCK_COLS * sizeof(float) +
           4 * PI_LINE_BYTES;
}

static size_t gemm_block_panels(const struct pi_weight *weight, size_t n_workers) {
    size_t panels = L2_BLOCK_BYTES / panel_bytes(weight);
    panels = pi_min_size(panels, pi_ceil_div(weight->n_panels, n_workers));
    panels = pi_min_size(panels, MAX_BLOCK_PANELS) & ~(size_t)1;
    return panels < 2 ? 2 : panels;
}

static size_t gemv_chunk_panels(const struct pi_weight *weight, size_t n_streams) {
    const size_t panels = GEMV_CHUNK_BYTES / (panel_bytes(weight) * n_streams);
    return pi_min_size(panels < 1 ? 1 : panels, GEMV_MAX_PANELS / n_streams);
}

static const void *input_of_tile(const struct pi_activation *x, const struct pi_weight *weight,
                                 size_t tile) {
    if (pi_qtype_of(weight->format)->quantized) {
        return pi_a8_tile(x, tile);
    }
    return x->f32 + tile * PI_TILE_TOKENS * x->f32_stride;
}

/* Tokens of one tile times panels [first, first + count) of every stream. out[s] receives rows of
 * out_stride floats. */
static void run_gemv(const struct pi_step *step, const struct pi_activation *x,
                     const struct pi_weight *weight, size_t tile, const struct pi_chunk *chunk,
                     float *const *out, size_t out_stride) {
    struct pi_gemv_args args = {
        .n_streams = 0,
        .n_panels = chunk->count[0],
        .n_groups = weight->n_groups,
        .n_tokens = pi_min_size(PI_TILE_TOKENS, x->n_tokens - tile * PI_TILE_TOKENS),
        .x = input_of_tile(x, weight, tile),
        .x_stride = x->f32_stride,
        .out_stride = out_stride,
        .prefetch_near = step->rt->walk.prefetch_near,
        .prefetch_far = step->rt->walk.prefetch_far,
    };
    bool equal = true;
    for (size_t s = 0; s < chunk->n_streams; s++) {
        equal &= chunk->count[s] == chunk->count[0];
        args.w[s] = weight->panels + chunk->first[s] * panel_bytes(weight);
        args.out[s] = out[s];
    }
    if (equal) {
        args.n_streams = chunk->n_streams;
        step->rt->kernels.gemv[weight->format](&args);
        return;
    }
    for (size_t s = 0; s < chunk->n_streams; s++) { /* ragged end of a worker's range */
        struct pi_gemv_args one = args;
        one.n_streams = 1;
        one.w[0] = args.w[s];
        one.out[0] = out[s];
        one.n_panels = chunk->count[s];
        if (one.n_panels > 0) {
            step->rt->kernels.gemv[weight->format](&one);
        }
    }
}

/* Panels [first, first + count) times up to TOKEN_BLOCK tokens from `tile` on, into out. */
static void run_gemm(const struct pi_step *step, const struct pi_activation *x,
                     const struct pi_weight *weight, size_t tile, size_t n_tiles, size_t first,
                     size_t count, float *out, size_t out_stride) {
    const bool quantized = pi_qtype_of(weight->format)->quantized;
    const uint8_t *panels = weight->panels + first * panel_bytes(weight);
    for (size_t g = 0; g < weight->n_groups; g += K_BLOCK_GROUPS) {
        struct pi_gemm_args args = {
            .w = panels + g * group_bytes(weight),
            .panel_stride = panel_bytes(weight),
            .n_panels = count,
            .n_groups = pi_min_size(K_BLOCK_GROUPS, weight->n_groups - g),
            .n_tiles = n_tiles,
            .out = out,
            .out_stride = out_stride,
            .accumulate = g > 0,
        };
        if (quantized) {
            args.x = pi_a8_tile(x, tile) + g * PI_TILE_TOKENS;
            args.x_stride = PI_TILE_TOKENS * x->n_groups * sizeof(struct pi_a8_group);
        } else {
            args.x = x->f32 + tile * PI_TILE_TOKENS * x->f32_stride + g * PI_GROUP_INPUTS;
            args.x_stride = x->f32_stride;
        }
        step->rt->kernels.gemm[weight->format](&args);
    }
}

/* A block of at most TOKEN_BLOCK tokens from token `begin`: whole tiles by GEMM, the rest by GEMV. */
static void run_tokens(const struct pi_step *step, const struct pi_activation *x,
                       const struct pi_weight *weight, size_t begin, size_t n_tokens, size_t first,
                       size_t count, float *out, size_t out_stride) {
    const size_t n_tiles = n_tokens / PI_TILE_TOKENS;
    const size_t tile = begin / PI_TILE_TOKENS;
    if (n_tiles > 0) {
        run_gemm(step, x, weight, tile, n_tiles, first, count, out, out_stride);
    }
    if (n_tokens % PI_TILE_TOKENS != 0) {
        const struct pi_chunk chunk = {.n_streams = 1, .first = {first}, .count = {count}};
        float *rest = out + n_tiles * PI_TILE_TOKENS * out_stride;
        run_gemv(step, x, weight, tile + n_tiles, &chunk, &rest, out_stride);
    }
}

/* Adds bias, then the residual, and stores: out[t][col ...] of n_cols columns. */
static void store(const struct pi_op *op, const struct pi_linear *linear, size_t begin,
                  size_t n_tokens, size_t col, size_t n_cols, const float *from,
                  size_t from_stride) {
    for (size_t t = 0; t < n_tokens; t++) {
        const float *f = from + t * from_stride;
        float *out = op->out.data + (begin + t) * op->out.stride + col;
        const float *residual = op->residual.data;
        if (linear->bias != NULL) {
            const float *bias = linear->bias + col;
            for (size_t i = 0; i < n_cols; i++) {
                out[i] = f[i] + bias[i];
            }
        } else if (residual == NULL) {
            memcpy(out, f, n_cols * sizeof *out);
        }
        if (residual != NULL) { /* may be `out` itself */
            const float *add = residual + (begin + t) * op->residual.stride + col;
            const float *sum = linear->bias != NULL ? out : f;
            for (size_t i = 0; i < n_cols; i++) {
                out[i] = add[i] + sum[i];
            }
        }
    }
}

static void decode_part(const struct pi_step *step, const struct pi_op *op,
                        const struct pi_linear *linear, size_t part, const struct pi_activation *x,
                        struct pi_worker *worker, struct pi_scratch scratch) {
    const struct pi_weight *weight = &linear->part[part];
    const size_t n_streams = step->rt->walk.n_streams;
    const size_t panels = gemv_chunk_panels(weight, n_streams);
    const struct pi_split split = {weight->n_panels, n_streams, panels};
    const size_t stride = panels * PI_PANEL_ROWS;
    float *out[PI_MAX_STREAMS];
    for (size_t s = 0; s < n_streams; s++) {
        out[s] = pi_scratch_take(&scratch, PI_TILE_TOKENS * stride * sizeof(float));
    }
    struct pi_chunk chunk;
    pi_split_begin(worker, &split);
    while (pi_split_next(worker, &split, &chunk)) {
        run_gemv(step, x, weight, 0, &chunk, out, stride);
        for (size_t s = 0; s < n_streams; s++) {
            store(op, linear, 0, x->n_tokens,
                  linear->out_col[part] + chunk.first[s] * PI_PANEL_ROWS,
                  chunk.count[s] * PI_PANEL_ROWS, out[s], stride);
        }
    }
}

static void prompt_part(const struct pi_step *step, const struct pi_op *op,
                        const struct pi_linear *linear, size_t part, const struct pi_activation *x,
                        struct pi_worker *worker, struct pi_scratch scratch) {
    const struct pi_weight *weight = &linear->part[part];
    const struct pi_split split = {weight->n_panels, 1,
                                   gemm_block_panels(weight, worker->n_workers)};
    float *out = pi_scratch_take(&scratch, TOKEN_BLOCK * BLOCK_COLS * sizeof *out);
    struct pi_chunk chunk;
    pi_split_begin(worker, &split);
    while (pi_split_next(worker, &split, &chunk)) {
        const size_t n_cols = chunk.count[0] * PI_PANEL_ROWS;
        for (size_t t = 0; t < x->n_tokens; t += TOKEN_BLOCK) {
            const size_t n = pi_min_size(TOKEN_BLOCK, x->n_tokens - t);
            run_tokens(step, x, weight, t, n, chunk.first[0], chunk.count[0], out, n_cols);
            store(op, linear, t, n, linear->out_col[part] + chunk.first[0] * PI_PANEL_ROWS, n_cols,
                  out, n_cols);
        }
    }
}

void pi_linear_run(const struct pi_step *step, const struct pi_op *op,
                   const struct pi_linear *linear, const int32_t *row_of, size_t n_tokens,
                   struct pi_worker *worker) {
    struct pi_scratch scratch = pi_scratch_of(worker);
    const struct pi_activation x =
        pi_activation_prepare(step, linear, &op->in, row_of, n_tokens, worker, &scratch);
    for (size_t i = 0; i < linear->n_parts; i++) {
        if (n_tokens <= PI_TILE_TOKENS) {
            decode_part(step, op, linear, i, &x, worker, scratch);
        } else {
            prompt_part(step, op, linear, i, &x, worker, scratch);
        }
    }
}

void pi_op_linear(const struct pi_step *step, const struct pi_op *op, struct pi_worker *worker) {
    pi_linear_run(step, op, &op->u.linear, NULL, step->frame->n_rows, worker);
}

static void store_swiglu(const struct pi_step *step, const struct pi_op *op, size_t begin,
                         size_t n_tokens, size_t col, size_t n_cols, const float *gate,
                         const float *up, size_t stride) {
    for (size_t t = 0; t < n_tokens; t++) {
        step->rt->kernels.swiglu(op->out.data + (begin + t) * op->out.stride + col,
                                 gate + t * stride, up + t * stride, n_cols);
    }
}

/* Gate and up are two matrices of the same shape: the same panels of both, as two streams. */
static void decode_gate_up(const struct pi_step *step, const struct pi_op *op,
                           const struct pi_activation *x, struct pi_worker *worker,
                           struct pi_scratch scratch) {
    const struct pi_weight *gate = &op->u.linear.part[0];
    const struct pi_weight *up = &op->u.linear.part[1];
    const size_t panels = gemv_chunk_panels(gate, 2);
    const struct pi_split split = {gate->n_panels, 1, panels};
    const size_t stride = panels * PI_PANEL_ROWS;
    float *out[2];
    for (size_t s = 0; s < 2; s++) {
        out[s] = pi_scratch_take(&scratch, PI_TILE_TOKENS * stride * sizeof(float));
    }
    /* In one call the two matrices are streams of one base: offsets in panels. */
    const size_t bytes = panel_bytes(gate);
    const bool one_call = gate->format == up->format && up->panels > gate->panels &&
                          (size_t)(up->panels - gate->panels) % bytes == 0;
    const size_t offset = one_call ? (size_t)(up->panels - gate->panels) / bytes : 0;
    struct pi_chunk chunk;
    pi_split_begin(worker, &split);
    while (pi_split_next(worker, &split, &chunk)) {
        if (one_call) {
            chunk.n_streams = 2;
            chunk.first[1] = chunk.first[0] + offset;
            chunk.count[1] = chunk.count[0];
            run_gemv(step, x, gate, 0, &chunk, out, stride);
        } else {
            run_gemv(step, x, gate, 0, &chunk, &out[0], stride);
            run_gemv(step, x, up, 0, &chunk, &out[1], stride);
        }
        store_swiglu(step, op, 0, x->n_tokens, chunk.first[0] * PI_PANEL_ROWS,
                     chunk.count[0] * PI_PANEL_ROWS, out[0], out[1], stride);
    }
}

static void prompt_gate_up(const struct pi_step *step, const struct pi_op *op,
                           const struct pi_activation *x, struct pi_worker *worker,
                           struct pi_scratch scratch) {
    const struct pi_weight *gate = &op->u.linear.part[0];
    const struct pi_weight *up = &op->u.linear.part[1];
    const size_t block = gemm_block_panels(gate, worker->n_workers);
    const struct pi_split split = {gate->n_panels, 1, block < 4 ? 2 : block / 4 * 2};
    const size_t size = TOKEN_BLOCK * BLOCK_COLS * sizeof(float);
    float *gates = pi_scratch_take(&scratch, size);
    float *ups = pi_scratch_take(&scratch, size);
    struct pi_chunk chunk;
    pi_split_begin(worker, &split);
    while (pi_split_next(worker, &split, &chunk)) {
        const size_t n_cols = chunk.count[0] * PI_PANEL_ROWS;
        for (size_t t = 0; t < x->n_tokens; t += TOKEN_BLOCK) {
            const size_t n = pi_min_size(TOKEN_BLOCK, x->n_tokens - t);
            run_tokens(step, x, gate, t, n, chunk.first[0], chunk.count[0], gates, n_cols);
            run_tokens(step, x, up, t, n, chunk.first[0], chunk.count[0], ups, n_cols);
            store_swiglu(step, op, t, n, chunk.first[0] * PI_PANEL_ROWS, n_cols, gates, ups,
                         n_cols);
        }
    }
}

void pi_op_gate_up(const struct pi_step *step, const struct pi_op *op, struct pi_worker *worker) {
    struct pi_scratch scratch = pi_scratch_of(worker);
    const size_t n_tokens = step->frame->n_rows;
    const struct pi_activation x =
        pi_activation_prepare(step, &op->u.linear, &op->in, NULL, n_tokens, worker, &scratch);
    if (n_tokens <= PI_TILE_TOKENS) {
        decode_gate_up(step, op, &x, worker, scratch);
    } else {
        prompt_gate_up(step, op, &x, worker, scratch);
    }
}
