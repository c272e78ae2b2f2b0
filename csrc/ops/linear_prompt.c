/* Prompt: more than one tile of tokens, blocks of panels through the GEMM in tiles of tokens. */
#include "ops/linear_prompt.h"
#include "ops/linear_decode.h"
#include "ops/linear_store.h"
#include "ops/weight.h"
#include <string.h>

/* Weights of one block of panels should stay in L2 while all token tiles pass over them. */
#define L2_BLOCK_BYTES ((size_t)256 << 10)
#define MAX_BLOCK_PANELS 16
/* One pass over this many groups keeps a tile of activations (18 KiB) in L1. */
#define K_BLOCK_GROUPS 12
#define TOKEN_BLOCK 64

/* Rows of the results are padded: at a stride of a power of two they would share L1 sets. */
#define STRIDE_PAD 16
#define BLOCK_STRIDE (MAX_BLOCK_PANELS * PI_PANEL_ROWS + STRIDE_PAD)
/* Panels that make one group of 128 inputs of the next op. */
#define GROUP_PANELS (PI_GROUP_INPUTS / PI_PANEL_ROWS)

size_t pi_linear_prompt_scratch_bytes(void) {
    return 2 * TOKEN_BLOCK * BLOCK_STRIDE * sizeof(float) + 4 * PI_LINE_BYTES;
}

/* Panels of the widest register tile: blocks are whole multiples of it. */
static size_t gemm_tile_panels(const struct pi_weight *weight) {
    return pi_qtype_of(weight->format)->quantized ? 2 : 3;
}

static size_t gemm_block_panels(const struct pi_weight *weight, size_t n_workers) {
    const size_t tile = gemm_tile_panels(weight);
    size_t panels = L2_BLOCK_BYTES / pi_weight_panel_bytes(weight);
    panels = pi_min_size(panels, pi_ceil_div(weight->n_panels, n_workers));
    panels = pi_min_size(panels, MAX_BLOCK_PANELS) / tile;
    return panels < 1 ? tile : panels * tile;
}

/* Panels [first, first + count) times up to TOKEN_BLOCK tokens from `tile` on, into out. */
static void run_gemm(const struct pi_step *step, const struct pi_activation *x,
                     const struct pi_weight *weight, size_t tile, size_t n_tiles, size_t first,
                     size_t count, float *out, size_t out_stride) {
    const bool quantized = pi_qtype_of(weight->format)->quantized;
    const uint8_t *panels = weight->panels + first * pi_weight_panel_bytes(weight);
    for (size_t g = 0; g < weight->n_groups; g += K_BLOCK_GROUPS) {
        struct pi_gemm_args args = {
            .w = panels + g * pi_weight_group_bytes(weight),
            .panel_stride = pi_weight_panel_bytes(weight),
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
        pi_linear_gemv(step, x, weight, tile + n_tiles, &chunk, &rest, out_stride);
    }
}

/* Asks for the rows that pi_linear_store is going to touch: they lie a whole row of the matrix apart,
 * which no hardware prefetcher follows. */
static void prefetch_rows(const struct pi_matrix *matrix, size_t begin, size_t n_tokens, size_t col,
                          size_t n_cols) {
    for (size_t t = begin; t < begin + n_tokens; t++) {
        const float *row = matrix->data + t * matrix->stride + col;
        for (size_t i = 0; i < n_cols; i += PI_LINE_BYTES / sizeof *row) {
            PI_PREFETCH(row + i);
        }
    }
}

void pi_linear_prompt(const struct pi_step *step, const struct pi_op *op,
                      const struct pi_linear *linear, size_t part, const struct pi_activation *x,
                      struct pi_worker *worker, struct pi_scratch scratch) {
    const struct pi_weight *weight = &linear->part[part];
    const struct pi_split split = {weight->n_panels, 1,
                                   gemm_block_panels(weight, worker->n_workers)};
    float *out = pi_scratch_take(&scratch, TOKEN_BLOCK * BLOCK_STRIDE * sizeof *out);
    const bool adds = op->residual.data != NULL && !op->gathers;
    const struct pi_matrix *touched = adds ? &op->residual : &op->out;
    struct pi_chunk chunk;
    pi_split_begin(worker, &split);
    while (pi_split_next(worker, &split, &chunk)) {
        const size_t n_cols = chunk.count[0] * PI_PANEL_ROWS;
        const size_t col = linear->out_col[part] + chunk.first[0] * PI_PANEL_ROWS;
        const size_t stride = n_cols + STRIDE_PAD;
        for (size_t t = 0; t < x->n_tokens; t += TOKEN_BLOCK) {
            const size_t n = pi_min_size(TOKEN_BLOCK, x->n_tokens - t);
            prefetch_rows(touched, t, n, col, n_cols);
            run_tokens(step, x, weight, t, n, chunk.first[0], chunk.count[0], out, stride);
            pi_linear_store(step, op, linear, t, n, col, n_cols, out, stride);
        }
    }
}

struct gate_up {
    const struct pi_step *step;
    const struct pi_op *op;
    const struct pi_activation *x;
    float *gates, *ups; /* [TOKEN_BLOCK][stride] */
    size_t stride;
};

static void gate_up_tokens(const struct gate_up *g, size_t begin, size_t n_tokens, size_t first,
                           size_t count) {
    const struct pi_linear *linear = &g->op->u.linear;
    run_tokens(g->step, g->x, &linear->part[0], begin, n_tokens, first, count, g->gates, g->stride);
    run_tokens(g->step, g->x, &linear->part[1], begin, n_tokens, first, count, g->ups, g->stride);
}

/* silu(gate) * up of one group of columns, quantized while it is in L1. */
static void store_group(const struct gate_up *g, size_t begin, size_t n_tokens, size_t group,
                        size_t n_cols) {
    const struct pi_kernels *kernels = &g->step->rt->kernels;
    const size_t n_groups = pi_ceil_div(g->op->u.linear.part[0].n_panels, GROUP_PANELS);
    for (size_t t = 0; t < n_tokens; t++) {
        float *h = g->gates + t * g->stride;
        kernels->swiglu(h, h, g->ups + t * g->stride, n_cols);
        memset(h + n_cols, 0, (PI_GROUP_INPUTS - n_cols) * sizeof *h);
        const struct pi_a8_place place = pi_a8_place(begin + t, g->x->n_tokens, n_groups);
        kernels->act_a8(g->step->shared->hidden + place.first + group * place.step, place.step, h,
                        1);
    }
}

void pi_gate_up_prompt(const struct pi_step *step, const struct pi_op *op,
                       const struct pi_activation *x, struct pi_worker *worker,
                       struct pi_scratch scratch) {
    const struct pi_weight *weight = &op->u.linear.part[0];
    const bool groups = op->u.linear.hidden_out;
    const size_t block = gemm_block_panels(weight, worker->n_workers);
    const size_t tile = gemm_tile_panels(weight);
    const size_t half = block < 2 * tile ? tile : block / (2 * tile) * tile;
    const size_t panels = groups ? GROUP_PANELS : half;
    const struct pi_split split = {pi_ceil_div(weight->n_panels, panels), 1, 1};
    const size_t bytes = TOKEN_BLOCK * BLOCK_STRIDE * sizeof(float);
    const struct gate_up g = {.step = step,
                              .op = op,
                              .x = x,
                              .gates = pi_scratch_take(&scratch, bytes),
                              .ups = pi_scratch_take(&scratch, bytes),
                              .stride = panels * PI_PANEL_ROWS + STRIDE_PAD};
    struct pi_chunk chunk;
    pi_split_begin(worker, &split);
    while (pi_split_next(worker, &split, &chunk)) {
        const size_t first = chunk.first[0] * panels;
        const size_t count = pi_min_size(panels, weight->n_panels - first);
        for (size_t t = 0; t < x->n_tokens; t += TOKEN_BLOCK) {
            const size_t n = pi_min_size(TOKEN_BLOCK, x->n_tokens - t);
            gate_up_tokens(&g, t, n, first, count);
            if (groups) {
                store_group(&g, t, n, chunk.first[0], count * PI_PANEL_ROWS);
            } else {
                pi_linear_store_swiglu(step, op, t, n, first * PI_PANEL_ROWS, count * PI_PANEL_ROWS,
                                       g.gates, g.ups, g.stride);
            }
        }
    }
}
