/* Function types and argument blocks of every kernel.
 *
 * A kernel file and the dispatch table both declare `pi_<op>_fn pi_<op>_<format>_<isa>;`, so the
 * compiler checks each signature and no prototype is written twice. Kernels are pure: no
 * allocation, no threads, no globals, no failure. Pointers to packed data are 64-byte aligned;
 * other pointers have the alignment of their type only.
 *
 * Letters: T tokens, D width, H query heads, G kv heads, K head size, V vocabulary.
 */
#ifndef PYINFER_KERNEL_TYPES_H
#define PYINFER_KERNEL_TYPES_H

#include "pyinfer/panels.h"
#include "pyinfer/types.h"

/* Up to 8 tokens times the panels of up to four far-apart runs walked in lockstep.
 * out[s][t * out_stride + 16 p + r] = dot(row r of panel p of stream s, token t).
 * n_groups is even for the K formats. The activations are one tile: a8 as pi_a8_group[n_groups][n_tokens] for q formats, f32 rows
 * x[t * x_stride] of n_groups * 128 values for float formats. */
struct pi_gemv_args {
    const uint8_t *w[PI_MAX_STREAMS];
    float *out[PI_MAX_STREAMS];
    size_t n_streams; /* 1, 2 or 4 */
    size_t n_panels;  /* per stream */
    size_t n_groups;
    size_t n_tokens; /* 1..8 */
    const void *x;
    size_t x_stride;      /* elements between tokens; float formats only */
    size_t out_stride;    /* elements between tokens */
    size_t prefetch_near; /* bytes ahead into L1, 0 = none */
    size_t prefetch_far;  /* bytes ahead into L2, 0 = none */
};
typedef void pi_gemv_fn(const struct pi_gemv_args *args);

/* Whole tiles of 8 tokens times a block of panels, over a range of groups.
 * out[(8 i + t) * out_stride + 16 p + r] (+)= dot over n_groups groups; with `accumulate` the
 * sum goes on from the value in out, in the same order as one long pass. For the K formats the
 * range begins at an even group and has an even length. */
struct pi_gemm_args {
    const uint8_t *w;    /* first group of the first panel */
    size_t panel_stride; /* bytes between panels */
    size_t n_panels;
    size_t n_groups;
    size_t n_tiles;
    const void *x;   /* first group of the first tile (a8), or first input (f32) */
    size_t x_stride; /* a8: bytes between tiles; f32: elements between tokens */
    float *out;
    size_t out_stride; /* elements between tokens */
    bool accumulate;
};
typedef void pi_gemm_fn(const struct pi_gemm_args *args);

/* 16 rows of a file (row-major, row_bytes apart, n_rows of them present, n_cols inputs) into one
 * panel of ceil(n_cols / 128) groups; and back. Missing rows and inputs become zero weights.
 * The source is in the panel's own format. */
typedef void pi_pack_fn(uint8_t *panel, const uint8_t *rows, size_t row_bytes, size_t n_rows,
                        size_t n_cols);
typedef void pi_unpack_fn(uint8_t *rows, const uint8_t *panel, size_t row_bytes, size_t n_rows,
                          size_t n_cols);

/* One row between f32 and a file format; n is a multiple of the block length. Rounding follows
 * the reference quantizer of the gguf package bit for bit. */
typedef void pi_quantize_fn(void *blocks, const float *x, size_t n);
typedef void pi_dequantize_fn(float *x, const void *blocks, size_t n);

/* As pi_quantize_fn for a whole row with an importance per input, by ggml's searches. */
typedef void pi_quantize_weighted_fn(void *blocks, const float *x, const float *importance,
                                     size_t n);

/* As pi_quantize_fn, with the scales and codes that have a small sum of importance * error^2, never
 * a larger one than the reference's. `importance` has n entries >= 0; a block of zeros counts all
 * of its weights alike. */
typedef void pi_fit_fn(void *blocks, const float *x, const float *importance, size_t n);

/* n_groups * 128 inputs of one token, into records `stride` records apart. */
typedef void pi_act_a8_fn(struct pi_a8_group *out, size_t stride, const float *x, size_t n_groups);

/* One row of a format of files only as blocks of its panel format, the same values exactly. */
typedef void pi_transcode_fn(void *to, const void *from, size_t n);

/* One row of a packed matrix as f32: n_groups * 128 values. */
typedef void pi_embed_fn(float *out, const uint8_t *panels, size_t row, size_t n_groups);

/* y = x / sqrt(mean(x^2) + eps) * w over n inputs; n_padded (multiple of 16) are read and
 * written, inputs beyond n must be zero. The square sum runs in 16 lanes, then a fixed tree. */
typedef void pi_rmsnorm_fn(float *y, const float *x, const float *w, size_t n, size_t n_padded,
                           float eps);

/* NEOX rotation in place of one head of 2 * half values, times `scale`:
 * (a, b) = (x[i], x[half + i]) -> ((a cos - b sin) * scale, (b cos + a sin) * scale). */
typedef void pi_rope_fn(float *x, const float *cos, const float *sin, size_t half, float scale);

/* h[i] = silu(gate[i]) * up[i], any n. */
typedef void pi_swiglu_fn(float *h, const float *gate, const float *up, size_t n);

/* Attention of n_queries queries against cached tokens [first, last) of one kv head: online
 * softmax partials. `first` is a multiple of 512 and last <= first + 512. Query i sees the tokens
 * below limit[i]; limits ascend. State is initialised here. */
struct pi_attn_args {
    const float *q; /* [n_queries][q_stride], rotated and scaled; not for q8_0 */
    size_t q_stride;
    const struct pi_a8_group *q8; /* [n_queries][q8_stride]: the same quantized, q8_0 only */
    size_t q8_stride;
    const int32_t *limit; /* [n_queries] visible tokens, counted from position 0 */
    size_t n_queries;
    size_t head_dim;     /* K */
    size_t v_stride;     /* K rounded up to 16: row length of V and of o */
    const uint8_t *kv;   /* this layer's and head's part of block 0 of the pool */
    size_t block_stride; /* bytes between pool blocks */
    const int32_t *block_table;
    size_t first, last;
    size_t end; /* >= last: tokens in the table, whose blocks may be prefetched */
    float *m;   /* [n_queries] running maximum */
    float *l;   /* [n_queries][16] running sums, one per lane */
    float *o;   /* [n_queries][v_stride] weighted values */
};
typedef void pi_attn_fn(const struct pi_attn_args *args);

/* Merges n_parts partials (part j at m[j * m_step], l[j * l_step ...], o[j * o_step ...]) in
 * ascending order and writes o / l of head_dim values. With out NULL the merged partial replaces
 * part 0 (its sum in the first lane), and merging can go on later with the same bits. */
struct pi_attn_merge_args {
    float *m, *l, *o;
    size_t m_step, l_step, o_step;
    size_t n_parts;
    size_t head_dim;
    float *out;
};
typedef void pi_attn_merge_fn(const struct pi_attn_merge_args *args);

/* Appends one token to one kv head of a block. An f16 or f32 block holds K as 4 tiles
 * [K][16 tokens], then V as [64 tokens][v_stride]; q8_0, for which K is a multiple of 32, is described
 * in kernels/attn/kv_q8_0.h. */
typedef void pi_kv_append_fn(uint8_t *block, const float *k, const float *v, size_t slot,
                             size_t head_dim, size_t v_stride);

/* Statistics of one chunk of logits (n <= 1024): maximum, sum of exp(x - maximum) in 16 lanes
 * then a fixed tree, and whether every value is finite. */
struct pi_head_stats {
    float max;
    float sum;
    int32_t finite;
};
typedef void pi_head_stats_fn(struct pi_head_stats *stats, const float *logits, size_t n);

/* Indices of all logits >= threshold, ascending, at most `capacity`; returns how many there are
 * (the count may exceed capacity; only the first `capacity` are written). */
typedef size_t pi_head_select_fn(int32_t *index, size_t capacity, const float *logits, size_t n,
                                 float threshold);

/* The limits of the machine, for reports and the tuner.
 * Read: every byte of n_streams runs of `bytes` (multiple of 1024) each, walked in lockstep with the
 * given prefetch distances; returns a value that depends on all of them.
 * Peak: `rounds` rounds of independent multiply-adds; returns the operations done (a multiply-add
 * is two) and stores a value that depends on all of them. */
struct pi_read_args {
    const uint8_t *data[PI_MAX_STREAMS];
    size_t n_streams;
    size_t bytes;
    size_t prefetch_near, prefetch_far;
};
typedef uint64_t pi_read_fn(const struct pi_read_args *args);
typedef double pi_peak_fn(float *sink, size_t rounds);

#endif
