/* Preparation of the input of a linear op: norm, quantization, layout. */
#ifndef PYINFER_OPS_ACTIVATION_H
#define PYINFER_OPS_ACTIVATION_H

#include "pyinfer/ops.h"
#include <assert.h>

/* Inputs as the kernels want them. Tiles of 8 tokens; the last may be smaller. */
struct pi_activation {
    size_t n_tokens;
    size_t n_groups;
    const float *f32; /* rows for float formats, NULL if no part needs them */
    size_t f32_stride;
    const struct pi_a8_group *a8; /* tiles for quantized formats, NULL if no part needs them */
};

/* Cuts pieces of the worker's scratch. */
struct pi_scratch {
    uint8_t *next;
    size_t left;
};
PI_INLINE struct pi_scratch pi_scratch_of(const struct pi_worker *worker) {
    return (struct pi_scratch){worker->scratch, worker->scratch_bytes};
}
PI_INLINE void *pi_scratch_take(struct pi_scratch *scratch, size_t bytes) {
    void *piece = scratch->next;
    bytes = pi_round_up(bytes, PI_LINE_BYTES);
    assert(bytes <= scratch->left);
    scratch->next += bytes;
    scratch->left -= bytes;
    return piece;
}

size_t pi_activation_scratch_bytes(const struct pi_linear *linear);

/* Prepares n_tokens rows of `in`; row t is row_of[t], or t if row_of is NULL. A few tokens are
 * prepared by every worker for itself (no barrier), many are shared out (one barrier), unless
 * they are quantized already (linear->hidden_in). */
struct pi_activation pi_activation_prepare(const struct pi_step *step,
                                           const struct pi_linear *linear,
                                           const struct pi_matrix *in, const int32_t *row_of,
                                           size_t n_tokens, struct pi_worker *worker,
                                           struct pi_scratch *scratch);

/* Where the records of a token lie among n_tokens of n_groups each: record of group g is
 * first + g * step. */
struct pi_a8_place {
    size_t first, step;
};
PI_INLINE struct pi_a8_place pi_a8_place(size_t token, size_t n_tokens, size_t n_groups) {
    const size_t tile = token / PI_TILE_TOKENS * PI_TILE_TOKENS;
    return (struct pi_a8_place){tile * n_groups + token % PI_TILE_TOKENS,
                                pi_min_size(PI_TILE_TOKENS, n_tokens - tile)};
}

/* First record of tile i. */
PI_INLINE const struct pi_a8_group *pi_a8_tile(const struct pi_activation *x, size_t tile) {
    return x->a8 + tile * PI_TILE_TOKENS * x->n_groups;
}

#endif
