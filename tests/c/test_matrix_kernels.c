/* Kernels with a weight format: every level against scalar, with guard pages around every buffer. */
#include "check.h"
#include "pyinfer/panels.h"
#include "pyinfer/qtype.h"
#include <string.h>

/* Groups of 128 inputs that a kernel may not part. */
static size_t span_of(enum pi_format format) {
    return pi_ceil_div(pi_qtype_of(format)->block_inputs, PI_GROUP_INPUTS);
}

/* Sometimes all bytes of the blocks are one: the largest codes, of either sign, under small and ordinary
 * scales. */
static void spoil_blocks(struct check *c, struct guarded *blocks) {
    static const uint8_t extreme[] = {0x00, 0x0f, 0x3f, 0x80, 0xbf};
    const size_t which = check_random(c) % 16;
    if (which < sizeof extreme) {
        memset(blocks->data, extreme[which], blocks->bytes);
    }
}

/* Panels of weights as the format quantizes them. The rows of a panel overlap in one sequence of blocks,
 * each a block further on than the one before it. */
static struct guarded random_panels(struct check *c, enum pi_format format, size_t n_panels,
                                    size_t n_groups) {
    const struct pi_qtype *q = pi_qtype_of(format);
    const size_t n_cols = n_groups * PI_GROUP_INPUTS;
    const size_t n_starts = 4;
    const size_t n_blocks = n_cols / q->block_inputs + PI_PANEL_ROWS + n_starts;
    struct guarded values = check_floats(c, n_blocks * q->block_inputs);
    struct guarded blocks = check_output(c, n_blocks * q->block_bytes);
    struct guarded panels = check_output(c, n_panels * n_groups * q->group_bytes);
    c->scalar->quantize[format](blocks.data, values.data, n_blocks * q->block_inputs);
    spoil_blocks(c, &blocks);
    for (size_t p = 0; p < n_panels; p++) {
        c->scalar->pack[format]((uint8_t *)panels.data + p * n_groups * q->group_bytes,
                                (uint8_t *)blocks.data + p % n_starts * q->block_bytes,
                                q->block_bytes, PI_PANEL_ROWS, n_cols);
    }
    guarded_free(&values);
    guarded_free(&blocks);
    return panels;
}

/* Activations of n_tokens as the format takes them: a8 [n_groups][n_tokens] or f32 rows. */
static struct guarded random_activations(struct check *c, enum pi_format format, size_t n_tokens,
                                         size_t n_groups) {
    struct guarded x = check_floats(c, n_tokens * n_groups * PI_GROUP_INPUTS);
    if (check_random(c) % 4 == 0) { /* all of one magnitude: 127 in 8 bits */
        float *value = x.data;
        const bool keep_signs = check_random(c) % 2 == 0;
        for (size_t i = 0; i < x.bytes / sizeof *value; i++) {
            value[i] = keep_signs && value[i] < 0.0f ? -3.0f : 3.0f;
        }
    }
    if (!pi_qtype_of(format)->quantized) {
        return x;
    }
    struct guarded a8 = check_output(c, n_tokens * n_groups * sizeof(struct pi_a8_group));
    for (size_t t = 0; t < n_tokens; t++) {
        c->scalar->act_a8((struct pi_a8_group *)a8.data + t, n_tokens,
                          (float *)x.data + t * n_groups * PI_GROUP_INPUTS, n_groups);
    }
    guarded_free(&x);
    return a8;
}

static void test_gemv(struct check *c, enum pi_format format) {
    const size_t n_streams = (size_t)1 << check_between(c, 0, 2);
    const size_t n_panels = check_between(c, 1, 3);
    const size_t n_groups = check_between(c, 1, 6) * span_of(format);
    const size_t n_tokens = check_between(c, 1, 8);
    const size_t n_rows = n_streams * n_panels * PI_PANEL_ROWS;
    struct guarded panels = random_panels(c, format, n_streams * n_panels, n_groups);
    struct guarded x = random_activations(c, format, n_tokens, n_groups);
    struct pi_gemv_args args = {
        .n_streams = n_streams,
        .n_panels = n_panels,
        .n_groups = n_groups,
        .n_tokens = n_tokens,
        .x = x.data,
        .x_stride = n_groups * PI_GROUP_INPUTS,
        .out_stride = n_rows + 3,
        .prefetch_near = check_between(c, 0, 2) * 1024,
        .prefetch_far = check_between(c, 0, 2) * 4096,
    };
    struct guarded out[2];
    for (size_t i = 0; i < 2; i++) {
        out[i] = check_output(c, ((n_tokens - 1) * args.out_stride + n_rows) * sizeof(float));
        for (size_t s = 0; s < n_streams; s++) {
            args.w[s] =
                (uint8_t *)panels.data + s * n_panels * n_groups * pi_qtype_of(format)->group_bytes;
            args.out[s] = (float *)out[i].data + s * n_panels * PI_PANEL_ROWS;
        }
        (i ? c->scalar : c->kernels)->gemv[format](&args);
    }
    check_same_floats(c, "gemv", &out[0], &out[1]);
    guarded_free(&out[0]);
    guarded_free(&out[1]);
    guarded_free(&panels);
    guarded_free(&x);
}

static void test_gemm(struct check *c, enum pi_format format) {
    const size_t n_panels = check_between(c, 1, 5);
    const size_t n_groups = check_between(c, 1, 4) * span_of(format);
    const size_t n_tiles = check_between(c, 1, 4);
    const size_t n_rows = n_panels * PI_PANEL_ROWS;
    const size_t group_bytes = pi_qtype_of(format)->group_bytes;
    const bool quantized = pi_qtype_of(format)->quantized;
    const size_t n_tokens = n_tiles * PI_TILE_TOKENS;
    struct guarded panels = random_panels(c, format, n_panels, n_groups);
    /* For a8, n_tiles tiles are one tile after the other: groups of a tile follow each other. */
    struct guarded x = quantized ? random_activations(c, format, PI_TILE_TOKENS, n_groups * n_tiles)
                                 : random_activations(c, format, n_tokens, n_groups);
    struct guarded out[2];
    for (size_t i = 0; i < 2; i++) {
        const struct pi_kernels *k = i ? c->scalar : c->kernels;
        struct pi_gemm_args args = {
            .w = panels.data,
            .panel_stride = n_groups * group_bytes,
            .n_panels = n_panels,
            .n_groups = n_groups,
            .n_tiles = n_tiles,
            .x = x.data,
            .x_stride = quantized ? n_groups * PI_TILE_TOKENS * sizeof(struct pi_a8_group)
                                  : n_groups * PI_GROUP_INPUTS,
            .out_stride = n_rows + 5,
        };
        out[i] = check_output(c, ((n_tokens - 1) * args.out_stride + n_rows) * sizeof(float));
        args.out = out[i].data;
        k->gemm[format](&args);
        args.accumulate = true;
        k->gemm[format](&args);
    }
    check_same_floats(c, "gemm", &out[0], &out[1]);
    guarded_free(&out[0]);
    guarded_free(&out[1]);
    guarded_free(&panels);
    guarded_free(&x);
}

/* Pack, unpack, embed and both directions of the file format, on rows that are no whole panel. */
static void test_files(struct check *c, enum pi_format format) {
    const struct pi_qtype *q = pi_qtype_of(format);
    const size_t n_rows = check_between(c, 1, PI_PANEL_ROWS);
    const size_t n_cols = check_between(c, 1, 600 / q->block_inputs) * q->block_inputs;
    const size_t n_groups = pi_ceil_div(n_cols, PI_GROUP_INPUTS);
    const size_t row_bytes = n_cols / q->block_inputs * q->block_bytes;
    struct guarded values = check_floats(c, n_cols);
    struct guarded rows = check_bytes(c, n_rows * row_bytes);
    struct guarded blocks[2], back[2], panel[2], unpacked[2], embedded[2];
    for (size_t i = 0; i < 2; i++) {
        const struct pi_kernels *k = i ? c->scalar : c->kernels;
        blocks[i] = check_output(c, row_bytes);
        back[i] = check_output(c, n_cols * sizeof(float));
        panel[i] = check_output(c, n_groups * q->group_bytes);
        unpacked[i] = check_output(c, n_rows * row_bytes);
        embedded[i] = check_output(c, n_groups * PI_GROUP_INPUTS * sizeof(float));
        k->quantize[format](blocks[i].data, values.data, n_cols);
        k->dequantize[format](back[i].data, rows.data, n_cols);
        k->pack[format](panel[i].data, rows.data, row_bytes, n_rows, n_cols);
        k->unpack[format](unpacked[i].data, panel[i].data, row_bytes, n_rows, n_cols);
        k->embed[format](embedded[i].data, panel[i].data, n_rows - 1, n_groups);
    }
    check_same_bytes(c, "quantize", &blocks[0], &blocks[1]);
    check_same_floats(c, "dequantize", &back[0], &back[1]);
    check_same_bytes(c, "pack", &panel[0], &panel[1]);
    check_same_bytes(c, "unpack", &unpacked[0], &rows);
    check_same_floats(c, "embed", &embedded[0], &embedded[1]);
    for (size_t i = 0; i < 2; i++) {
        guarded_free(&blocks[i]);
        guarded_free(&back[i]);
        guarded_free(&panel[i]);
        guarded_free(&unpacked[i]);
        guarded_free(&embedded[i]);
    }
    guarded_free(&values);
    guarded_free(&rows);
}

static void test_all(struct check *c) {
    for (enum pi_format format = 0; format < PI_FORMAT_COUNT; format++) {
        test_gemv(c, format);
        test_gemm(c, format);
        test_files(c, format);
    }
}

int main(void) { return check_run(test_all, 60, UINT64_C(0x0cc2f997c6a65421)); }
