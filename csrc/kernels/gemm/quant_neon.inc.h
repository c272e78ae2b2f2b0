/* Template: quantized GEMM of aarch64 by dot products of four rows.
 *
 * Parameters: those of aarch64 for a quantized format (README.md).
 *
 * Four groups of a panel are expanded to signed bytes and f32 scales once (9 to 13 KiB, L1) and serve all
 * tiles of tokens. The register tile is half a panel x TOKENS tokens: 16 registers of integer sums, 8 of
 * activations (16 inputs each) and the weights of four rows; the float sums live in `out` (L1). */
#include "pyinfer/kernel_types.h"

#ifndef PARAM_KERNEL
#error "gemm/quant_neon.inc.h needs PARAM_KERNEL"
#endif
#ifndef PARAM_GROUP
#error "gemm/quant_neon.inc.h needs PARAM_GROUP"
#endif
#ifndef PARAM_SPAN
#error "gemm/quant_neon.inc.h needs PARAM_SPAN"
#endif
#ifndef PARAM_PART_INPUTS
#error "gemm/quant_neon.inc.h needs PARAM_PART_INPUTS"
#endif
#ifndef PARAM_BIAS
#error "gemm/quant_neon.inc.h needs PARAM_BIAS"
#endif
#ifndef PARAM_HAS_MIN
#error "gemm/quant_neon.inc.h needs PARAM_HAS_MIN"
#endif
#ifndef PARAM_LOAD_PAIR
#error "gemm/quant_neon.inc.h needs PARAM_LOAD_PAIR"
#endif
#ifndef PARAM_LOAD_SCALES16
#error "gemm/quant_neon.inc.h needs PARAM_LOAD_SCALES16"
#endif
#ifndef PARAM_SUMS
#error "gemm/quant_neon.inc.h needs PARAM_SUMS"
#endif
#if !PARAM_HAS_MIN
#define PARAM_LOAD_MINS16(group, part, min) (void)(min) /* not added */
#endif
#ifndef PARAM_LOAD_MINS16
#error "gemm/quant_neon.inc.h needs PARAM_LOAD_MINS16"
#endif

#include "kernels/dot/part_sums_neon.inc.h"

#define SUMS(what) PI_JOIN(PARAM_SUMS, what) /* of the level: type and functions */

pi_gemm_fn PARAM_KERNEL;

#define EXPANDED_GROUPS 4 /* even: a super group is never parted */
#define EXPANDED_BLOCKS (4 * EXPANDED_GROUPS)
#define EXPANDED_TILES 8 /* tiles whose sums of parts are held at once */
#define HALF_QUADS 2
#define TOKENS ((size_t)SUMS(_tokens)) /* of a register tile */

struct expanded {
    int8_t code[EXPANDED_BLOCKS][8][PI_LINE_BYTES]; /* [block][chunk] */
    float scale[EXPANDED_BLOCKS * PARTS][PI_PANEL_ROWS];
    float min[PARAM_HAS_MIN ? EXPANDED_BLOCKS * PARTS : 1][PI_PANEL_ROWS];
};
typedef float tile_sums[EXPANDED_GROUPS][PI_TILE_TOKENS][4 * PARTS];

static void store_rows(float *to, const float32x4_t *from) {
    for (size_t quad = 0; quad < 4; quad++) {
        vst1q_f32(to + 4 * quad, from[quad]);
    }
}

static void expand_block(const PARAM_GROUP *group, size_t block, struct expanded *to,
                         size_t index) {
    for (size_t part = 0; part < PARTS; part++) {
        float32x4_t rows[4];
        PARAM_LOAD_SCALES16(group, PARTS * block + part, rows);
        store_rows(to->scale[PARTS * index + part], rows);
        if (PARAM_HAS_MIN) {
            PARAM_LOAD_MINS16(group, PARTS * block + part, rows);
            store_rows(to->min[PARTS * index + part], rows);
        }
    }
    PI_UNROLL(4)
    for (size_t j = 0; j < 4; j++) {
        PI_UNROLL(4)
        for (size_t quad = 0; quad < 4; quad++) {
            const int8x16x2_t code = PARAM_LOAD_PAIR(group, block, j, quad);
            const int8x16_t bias = vdupq_n_s8(PARAM_BIAS);
            vst1q_s8(to->code[index][j] + 16 * quad, vsubq_s8(code.val[0], bias));
            vst1q_s8(to->code[index][j + 4] + 16 * quad, vsubq_s8(code.val[1], bias));
        }
    }
}

static void expand(const PARAM_GROUP *group, size_t n_groups, struct expanded *to) {
    for (size_t i = 0; i < 4 * n_groups; i++) {
        expand_block(group + i / (4 * PARAM_SPAN), i % (4 * PARAM_SPAN), to, i);
    }
}

/* 16 inputs of a block, chunks 4 * half and on, for half a panel. */
PI_INLINE void sum_half(const struct expanded *w, size_t block, size_t half, size_t first_quad,
                        const struct pi_a8_group *x, PARAM_SUMS (*sum)[TOKENS]) {
    SUMS(_inputs) q[TOKENS];
    for (size_t t = 0; t < TOKENS; t++) {
        q[t] = SUMS(_load)(x[t].q + block % 4 * PI_BLOCK_INPUTS + 16 * half);
    }
    PI_UNROLL(2)
    for (size_t j = 0; j < 4; j += 2) {
        for (size_t i = 0; i < HALF_QUADS; i++) {
            const int8_t *from = w->code[block][4 * half + j] + 16 * (first_quad + i);
            const int8x16x2_t code = {{vld1q_s8(from), vld1q_s8(from + PI_LINE_BYTES)}};
            for (size_t t = 0; t < TOKENS; t++) {
                SUMS(_add)(&sum[i][t], &sum[i][t], code, q[t], j, q[t], j + 1);
            }
        }
    }
}

/* The sums of one part onto those of half a panel in `out`. */
PI_INLINE void add_sums(const struct expanded *w, size_t block, size_t part, size_t first_quad,
                        const struct pi_a8_group *x, const float (*part_sums)[4 * PARTS],
                        PARAM_SUMS (*sum)[TOKENS], float *out, size_t out_stride) {
    const size_t b = block % 4;
    for (size_t i = 0; i < HALF_QUADS; i++) {
        const size_t row = 4 * (first_quad + i);
        const float32x4_t scale = vld1q_f32(w->scale[PARTS * block + part] + row);
        const float32x4_t min = vld1q_f32(w->min[PARAM_HAS_MIN ? PARTS * block + part : 0] + row);
        for (size_t t = 0; t < TOKENS; t++) {
            const int32x4_t isum = SUMS(_end)(sum[i][t], vdupq_n_s32(0));
            float *at = out + t * out_stride + row;
            float32x4_t f = vld1q_f32(at);
            f = vfmaq_f32(f, vcvtq_f32_s32(isum), vmulq_n_f32(scale, x[t].scale[b]));
            if (PARAM_HAS_MIN) {
                f = vfmaq_n_f32(f, min, part_sums[t][PARTS * b + part]);
            }
            vst1q_f32(at, f);
        }
    }
}

/* One block for half a panel and a few tokens of a tile. */
PI_INLINE void add_block(const struct expanded *w, size_t block, size_t quad,
                         const struct pi_a8_group *x, const float (*part_sums)[4 * PARTS],
                         float *out, size_t out_stride) {
    for (size_t part = 0; part < PARTS; part++) {
        PARAM_SUMS sum[HALF_QUADS][TOKENS];
        for (size_t i = 0; i < HALF_QUADS; i++) {
            for (size_t t = 0; t < TOKENS; t++) {
                sum[i][t] = SUMS(_begin)(vdupq_n_s32(0));
            }
        }
        sum_half(w, block, part, quad, x, sum);
        if (PARTS == 1) {
            sum_half(w, block, 1, quad, x, sum);
        }
        add_sums(w, block, part, quad, x, part_sums, sum, out, out_stride);
    }
}

/* All expanded groups times one tile. */
static void run_tile(const struct expanded *w, size_t n_groups, const struct pi_a8_group *x,
                     const float (*part_sums)[PI_TILE_TOKENS][4 * PARTS], float *out,
                     size_t out_stride) {
    for (size_t block = 0; block < 4 * n_groups; block++) {
        const struct pi_a8_group *record = x + block / 4 * PI_TILE_TOKENS;
        for (size_t quad = 0; quad < 4; quad += HALF_QUADS) {
            for (size_t t = 0; t < PI_TILE_TOKENS; t += TOKENS) {
                add_block(w, block, quad, record + t, part_sums[block / 4] + t,
                          out + t * out_stride, out_stride);
            }
        }
    }
}

/* Groups [first, first + n_groups) of all panels times n_tiles tiles. */
static void multiply(const struct pi_gemm_args *a, size_t first, size_t n_groups, size_t tile,
                     size_t n_tiles) {
    const uint8_t *x = (const uint8_t *)a->x + tile * a->x_stride +
                       first * PI_TILE_TOKENS * sizeof(struct pi_a8_group);
    tile_sums sums[PARAM_HAS_MIN ? EXPANDED_TILES : 1];
    for (size_t i = 0; PARAM_HAS_MIN && i < n_tiles; i++) {
        const struct pi_a8_group *record = (const void *)(x + i * a->x_stride);
        for (size_t k = 0; k < n_groups * PI_TILE_TOKENS; k++) {
            scaled_sums(&record[k], sums[i][k / PI_TILE_TOKENS][k % PI_TILE_TOKENS]);
        }
    }
    for (size_t p = 0; p < a->n_panels; p++) {
        const void *w = a->w + p * a->panel_stride;
        struct expanded expanded;
        expand((const PARAM_GROUP *)w + first / PARAM_SPAN, n_groups, &expanded);
        float *out = a->out + tile * PI_TILE_TOKENS * a->out_stride + p * PI_PANEL_ROWS;
        for (size_t i = 0; i < n_tiles; i++, out += PI_TILE_TOKENS * a->out_stride) {
            run_tile(&expanded, n_groups, (const void *)(x + i * a->x_stride),
                     (const void *)sums[PARAM_HAS_MIN ? i : 0], out, a->out_stride);
        }
    }
}

static void clear(const struct pi_gemm_args *a) {
    for (size_t t = 0; t < a->n_tiles * PI_TILE_TOKENS; t++) {
        for (size_t r = 0; r < a->n_panels * PI_PANEL_ROWS; r++) {
            a->out[t * a->out_stride + r] = 0.0f;
        }
    }
}

void PARAM_KERNEL(const struct pi_gemm_args *a) {
    if (!a->accumulate) {
        clear(a);
    }
    for (size_t tile = 0; tile < a->n_tiles; tile += EXPANDED_TILES) {
        const size_t n_tiles = pi_min_size(EXPANDED_TILES, a->n_tiles - tile);
        for (size_t g = 0; g < a->n_groups; g += EXPANDED_GROUPS) {
            multiply(a, g, pi_min_size(EXPANDED_GROUPS, a->n_groups - g), tile, n_tiles);
        }
    }
}

#undef EXPANDED_GROUPS
#undef EXPANDED_BLOCKS
#undef EXPANDED_TILES
#undef HALF_QUADS
#undef TOKENS
#undef SUMS
#undef PARTS
#include "kernels/undef_params.h"
