/* Decode: up to one tile of tokens, panels walked as far-apart streams through the GEMV. */
#include "ops/linear_decode.h"
#include "ops/linear_store.h"
#include "ops/weight.h"

/* A GEMV chunk: large enough to stream, small enough to steal. */
#define GEMV_CHUNK_BYTES ((size_t)192 << 10)
#define GEMV_MAX_PANELS 16
/* A waiting worker fetches so much: half of a usual L2, the rest is for what it has just written. */
#define AHEAD_BYTES ((size_t)512 << 10)

size_t pi_linear_decode_scratch_bytes(void) {
    return 2 * PI_TILE_TOKENS * GEMV_MAX_PANELS * PI_PANEL_ROWS * sizeof(float) + 4 * PI_LINE_BYTES;
}

static size_t gemv_chunk_panels(const struct pi_weight *weight, size_t n_streams) {
    const size_t panels = GEMV_CHUNK_BYTES / (pi_weight_panel_bytes(weight) * n_streams);
    return pi_min_size(panels < 1 ? 1 : panels, GEMV_MAX_PANELS / n_streams);
}

static struct pi_split split_of(const struct pi_step *step, const struct pi_weight *weight) {
    const size_t n_streams = step->rt->walk.n_streams;
    return (struct pi_split){weight->n_panels, n_streams, gemv_chunk_panels(weight, n_streams)};
}

static struct pi_split gate_up_split(const struct pi_weight *gate) {
    return (struct pi_split){gate->n_panels, 1, gemv_chunk_panels(gate, 2)};
}

void pi_linear_ahead(const struct pi_step *step, const struct pi_op *op, size_t n_tokens,
                     const struct pi_worker *worker, struct pi_ahead *ahead) {
    if (n_tokens == 0 || n_tokens > PI_TILE_TOKENS) {
        return;
    }
    const bool pair = op->kind == PI_OP_GATE_UP;
    const struct pi_linear *linear = op->kind == PI_OP_HEAD ? &op->u.head.linear : &op->u.linear;
    const struct pi_weight *weight = &linear->part[0];
    const size_t bytes = pi_weight_panel_bytes(weight);
    const struct pi_split split = pair ? gate_up_split(weight) : split_of(step, weight);
    struct pi_chunk own;
    pi_split_own(worker, &split, &own);
    for (size_t s = 0; s < own.n_streams; s++) {
        ahead->from[s] = weight->panels + own.first[s] * bytes;
    }
    if (pair) {
        ahead->from[1] = linear->part[1].panels + own.first[0] * bytes;
    }
    ahead->n_streams = pair ? 2 : own.n_streams;
    ahead->bytes =
        pi_min_size(AHEAD_BYTES / ahead->n_streams, own.count[own.n_streams - 1] * bytes);
}

static const void *input_of_tile(const struct pi_activation *x, const struct pi_weight *weight,
                                 size_t tile) {
    if (pi_qtype_of(weight->format)->quantized) {
        return pi_a8_tile(x, tile);
    }
    return x->f32 + tile * PI_TILE_TOKENS * x->f32_stride;
}

void pi_linear_gemv(const struct pi_step *step, const struct pi_activation *x,
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
        args.w[s] = weight->panels + chunk->first[s] * pi_weight_panel_bytes(weight);
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

void pi_linear_decode(const struct pi_step *step, const struct pi_op *op,
                      const struct pi_linear *linear, size_t part, const struct pi_activation *x,
                      struct pi_worker *worker, struct pi_scratch scratch) {
    const struct pi_weight *weight = &linear->part[part];
    const struct pi_split split = split_of(step, weight);
    const size_t stride = split.chunk_items * PI_PANEL_ROWS;
    float *out[PI_MAX_STREAMS];
    for (size_t s = 0; s < split.n_streams; s++) {
        out[s] = pi_scratch_take(&scratch, PI_TILE_TOKENS * stride * sizeof(float));
    }
    struct pi_chunk chunk;
    pi_split_begin(worker, &split);
    while (pi_split_next(worker, &split, &chunk)) {
        pi_linear_gemv(step, x, weight, 0, &chunk, out, stride);
        for (size_t s = 0; s < split.n_streams; s++) {
            pi_linear_store(step, op, linear, 0, x->n_tokens,
                            linear->out_col[part] + chunk.first[s] * PI_PANEL_ROWS,
                            chunk.count[s] * PI_PANEL_ROWS, out[s], stride);
        }
    }
}

/* Gate and up are two matrices of the same shape: the same panels of both, as two streams. */
void pi_gate_up_decode(const struct pi_step *step, const struct pi_op *op,
                       const struct pi_activation *x, struct pi_worker *worker,
                       struct pi_scratch scratch) {
    const struct pi_weight *gate = &op->u.linear.part[0];
    const struct pi_weight *up = &op->u.linear.part[1];
    const struct pi_split split = gate_up_split(gate);
    const size_t stride = split.chunk_items * PI_PANEL_ROWS;
    float *out[2];
    for (size_t s = 0; s < 2; s++) {
        out[s] = pi_scratch_take(&scratch, PI_TILE_TOKENS * stride * sizeof(float));
    }
    /* In one call the two matrices are streams of one base: offsets in panels. */
    const size_t bytes = pi_weight_panel_bytes(gate);
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
            pi_linear_gemv(step, x, gate, 0, &chunk, out, stride);
        } else {
            pi_linear_gemv(step, x, gate, 0, &chunk, &out[0], stride);
            pi_linear_gemv(step, x, up, 0, &chunk, &out[1], stride);
        }
        pi_linear_store_swiglu(step, op, 0, x->n_tokens, chunk.first[0] * PI_PANEL_ROWS,
                               chunk.count[0] * PI_PANEL_ROWS, out[0], out[1], stride);
    }
}
