/* Template: quantized GEMM of aarch64 by 8-bit matrix products: smmla multiplies 2 rows x 8 inputs with
 * 2 tokens x 8 inputs.
 *
 * Parameters: those of aarch64 for a quantized format (README.md).
 *
 * Its operands are neither the packed lines nor the records of activations. Four groups of a panel are
 * expanded to planes of two rows x 8 inputs once for all tiles of tokens (9 to 16 KiB), four groups of up
 * to 8 tiles to pairs of tokens once for all panels (36 KiB); both stay in L1 or L2. All that meets a result
 * of 2 rows x 2 tokens is laid out as it is: scales of rows as r0 r0 r1 r1, of tokens as t0 t1 t0 t1, and
 * the float sums of a panel and tile, which take the order of `out` only when they are stored. The register
 * tile is half a panel x 8 tokens. */
#include "pyinfer/kernel_types.h"

#ifndef PARAM_KERNEL
#error "gemm/quant_neoni8mm.inc.h needs PARAM_KERNEL"
#endif
#ifndef PARAM_GROUP
#error "gemm/quant_neoni8mm.inc.h needs PARAM_GROUP"
#endif
#ifndef PARAM_SPAN
#error "gemm/quant_neoni8mm.inc.h needs PARAM_SPAN"
#endif
#ifndef PARAM_PART_INPUTS
#error "gemm/quant_neoni8mm.inc.h needs PARAM_PART_INPUTS"
#endif
#ifndef PARAM_BIAS
#error "gemm/quant_neoni8mm.inc.h needs PARAM_BIAS"
#endif
#ifndef PARAM_HAS_MIN
#error "gemm/quant_neoni8mm.inc.h needs PARAM_HAS_MIN"
#endif
#ifndef PARAM_LOAD_PAIR
#error "gemm/quant_neoni8mm.inc.h needs PARAM_LOAD_PAIR"
#endif
#ifndef PARAM_LOAD_SCALES16
#error "gemm/quant_neoni8mm.inc.h needs PARAM_LOAD_SCALES16"
#endif
#if !PARAM_HAS_MIN
#define PARAM_LOAD_MINS16(group, part, min) (void)(min) /* not added */
#endif
#ifndef PARAM_LOAD_MINS16
#error "gemm/quant_neoni8mm.inc.h needs PARAM_LOAD_MINS16"
#endif

#include "kernels/dot/part_sums_neon.inc.h"

pi_gemm_fn PARAM_KERNEL;

#define EXPANDED_GROUPS 4 /* even: a super group is never parted */
#define EXPANDED_BLOCKS (4 * EXPANDED_GROUPS)
#define EXPANDED_TILES 8
#define OCTETS 4    /* times 8 inputs of a block */
#define ROW_PAIRS 8 /* of a panel */
#define TOKEN_PAIRS (PI_TILE_TOKENS / 2)
#define HALF_PAIRS 4

struct expanded {
    int8_t code[EXPANDED_BLOCKS][OCTETS][ROW_PAIRS][16];
    float scale[EXPANDED_BLOCKS * PARTS][ROW_PAIRS][4];
    float min[PARAM_HAS_MIN ? EXPANDED_BLOCKS * PARTS : 1][ROW_PAIRS][4];
};
struct tile {
    int8_t q[EXPANDED_BLOCKS][OCTETS][TOKEN_PAIRS][16];
    float scale[EXPANDED_BLOCKS][TOKEN_PAIRS][4];
    float sum[PARAM_HAS_MIN ? EXPANDED_BLOCKS * PARTS : 1][TOKEN_PAIRS][4];
};

static void store_rows(float (*to)[4], const float32x4_t *from) {
    for (size_t quad = 0; quad < 4; quad++) {
        vst1q_f32(to[2 * quad], vzip1q_f32(from[quad], from[quad]));
        vst1q_f32(to[2 * quad + 1], vzip2q_f32(from[quad], from[quad]));
    }
}

/* Chunks of four inputs side by side: rows 0 and 1 of a quad, then rows 2 and 3. */
PI_INLINE void store_octet(int8_t (*to)[16], int8x16_t first, int8x16_t second) {
    const int32x4_t a = vreinterpretq_s32_s8(first);
    const int32x4_t b = vreinterpretq_s32_s8(second);
    vst1q_s8(to[0], vreinterpretq_s8_s32(vzip1q_s32(a, b)));
    vst1q_s8(to[1], vreinterpretq_s8_s32(vzip2q_s32(a, b)));
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
    const int8x16_t bias = vdupq_n_s8(PARAM_BIAS);
    PI_UNROLL(4)
    for (size_t quad = 0; quad < 4; quad++) {
        int8x16_t code[8];
        PI_UNROLL(4)
        for (size_t j = 0; j < 4; j++) {
            const int8x16x2_t pair = PARAM_LOAD_PAIR(group, block, j, quad);
            code[j] = vsubq_s8(pair.val[0], bias);
            code[j + 4] = vsubq_s8(pair.val[1], bias);
        }
        PI_UNROLL(4)
        for (size_t o = 0; o < OCTETS; o++) {
            store_octet(&to->code[index][o][2 * quad], code[2 * o], code[2 * o + 1]);
        }
    }
}

static void expand(const PARAM_GROUP *group, size_t n_groups, struct expanded *to) {
    for (size_t i = 0; i < 4 * n_groups; i++) {
        expand_block(group + i / (4 * PARAM_SPAN), i % (4 * PARAM_SPAN), to, i);
    }
}

/* The records of a pair of tokens of one group. */
PI_INLINE void pair_tokens(const struct pi_a8_group *x, size_t pair, size_t group,
                           struct tile *to) {
    const struct pi_a8_group *even = &x[2 * pair];
    const struct pi_a8_group *odd = &x[2 * pair + 1];
    for (size_t i = 0; i < PI_GROUP_INPUTS / 16; i++) {
        const int64x2_t a = vreinterpretq_s64_s8(vld1q_s8(even->q + 16 * i));
        const int64x2_t b = vreinterpretq_s64_s8(vld1q_s8(odd->q + 16 * i));
        int8_t(*octet)[TOKEN_PAIRS][16] = &to->q[4 * group + i / 2][2 * (i % 2)];
        vst1q_s8(octet[0][pair], vreinterpretq_s8_s64(vzip1q_s64(a, b)));
        vst1q_s8(octet[1][pair], vreinterpretq_s8_s64(vzip2q_s64(a, b)));
    }
    float sums[2][4 * PARTS];
    scaled_sums(even, sums[0]);
    scaled_sums(odd, sums[1]);
    for (size_t i = 0; i < 4; i++) {
        for (size_t b = 0; b < 4; b++) {
            to->scale[4 * group + b][pair][i] = (i % 2 ? odd : even)->scale[b];
        }
        for (size_t p = 0; PARAM_HAS_MIN && p < 4 * PARTS; p++) {
            to->sum[4 * PARTS * group + p][pair][i] = sums[i % 2][p];
        }
    }
}

/* Float sums of a panel and a tile between `out` and the order of the results. */
typedef float pair_sums[ROW_PAIRS][TOKEN_PAIRS][4];

PI_INLINE void load_sums(pair_sums f, const float *out, size_t out_stride) {
    for (size_t quad = 0; quad < 4; quad++) {
        for (size_t t = 0; t < TOKEN_PAIRS; t++) {
            const float32x4_t a = vld1q_f32(out + 2 * t * out_stride + 4 * quad);
            const float32x4_t b = vld1q_f32(out + (2 * t + 1) * out_stride + 4 * quad);
            vst1q_f32(f[2 * quad][t], vzip1q_f32(a, b));
            vst1q_f32(f[2 * quad + 1][t], vzip2q_f32(a, b));
        }
    }
}
PI_INLINE void store_sums(float *out, size_t out_stride, pair_sums f) {
    for (size_t quad = 0; quad < 4; quad++) {
        for (size_t t = 0; t < TOKEN_PAIRS; t++) {
            const float32x4_t a = vld1q_f32(f[2 * quad][t]);
            const float32x4_t b = vld1q_f32(f[2 * quad + 1][t]);
            vst1q_f32(out + 2 * t * out_stride + 4 * quad, vuzp1q_f32(a, b));
            vst1q_f32(out + (2 * t + 1) * out_stride + 4 * quad, vuzp2q_f32(a, b));
        }
    }
}

/* One part of a block, its octets from `octet` on, for half a panel x 8 tokens. */
PI_INLINE void add_part(const struct expanded *w, const struct tile *x, size_t block, size_t part,
                        size_t first, pair_sums f) {
    int32x4_t sum[HALF_PAIRS][TOKEN_PAIRS];
    for (size_t i = 0; i < HALF_PAIRS; i++) {
        for (size_t t = 0; t < TOKEN_PAIRS; t++) {
            sum[i][t] = vdupq_n_s32(0);
        }
    }
    PI_UNROLL(4)
    for (size_t k = 0; k < OCTETS / PARTS; k++) {
        const size_t o = part * (OCTETS / PARTS) + k;
        int8x16_t q[TOKEN_PAIRS];
        /* Loaded when their turn comes: all of a block, held over both halves, would push sums out of
         * the registers. */
        PI_HIDE(x);
        for (size_t t = 0; t < TOKEN_PAIRS; t++) {
            q[t] = vld1q_s8(x->q[block][o][t]);
        }
        for (size_t i = 0; i < HALF_PAIRS; i++) {
            const int8x16_t code = vld1q_s8(w->code[block][o][first + i]);
            for (size_t t = 0; t < TOKEN_PAIRS; t++) {
                sum[i][t] = vmmlaq_s32(sum[i][t], code, q[t]);
            }
        }
    }
    PI_HIDE(x);
    const size_t p = PARTS * block + part;
    float32x4_t token_scale[TOKEN_PAIRS];
    float32x4_t token_sum[TOKEN_PAIRS];
    for (size_t t = 0; t < TOKEN_PAIRS; t++) {
        token_scale[t] = vld1q_f32(x->scale[block][t]);
        token_sum[t] = PARAM_HAS_MIN ? vld1q_f32(x->sum[PARAM_HAS_MIN ? p : 0][t]) : token_scale[t];
    }
    for (size_t i = 0; i < HALF_PAIRS; i++) {
        const float32x4_t scale = vld1q_f32(w->scale[p][first + i]);
        float32x4_t
            to[TOKEN_PAIRS]; /* all loaded, then all stored: two registers per instruction */
        for (size_t t = 0; t < TOKEN_PAIRS; t++) {
            to[t] = vld1q_f32(f[first + i][t]);
        }
        for (size_t t = 0; t < TOKEN_PAIRS; t++) {
            const float32x4_t both = vmulq_f32(scale, token_scale[t]);
            to[t] = vfmaq_f32(to[t], vcvtq_f32_s32(sum[i][t]), both);
            if (PARAM_HAS_MIN) {
                const float32x4_t min = vld1q_f32(w->min[PARAM_HAS_MIN ? p : 0][first + i]);
                to[t] = vfmaq_f32(to[t], min, token_sum[t]);
            }
        }
        for (size_t t = 0; t < TOKEN_PAIRS; t++) {
            vst1q_f32(f[first + i][t], to[t]);
        }
    }
}

/* All expanded groups times one tile. */
static void run_tile(const struct expanded *w, size_t n_groups, const struct tile *x, float *out,
                     size_t out_stride, bool from_zero) {
    pair_sums f;
    if (from_zero) {
        memset(f, 0, sizeof f);
    } else {
        load_sums(f, out, out_stride);
    }
    for (size_t block = 0; block < 4 * n_groups; block++) {
        for (size_t first = 0; first < ROW_PAIRS; first += HALF_PAIRS) {
            for (size_t part = 0; part < PARTS; part++) {
                add_part(w, x, block, part, first, f);
            }
        }
    }
    store_sums(out, out_stride, f);
}

/* Groups [first, first + n_groups) of all panels times n_tiles tiles. */
static void multiply(const struct pi_gemm_args *a, size_t first, size_t n_groups, size_t tile,
                     size_t n_tiles) {
    const uint8_t *x = (const uint8_t *)a->x + tile * a->x_stride +
                       first * PI_TILE_TOKENS * sizeof(struct pi_a8_group);
    struct tile tiles[EXPANDED_TILES];
    for (size_t i = 0; i < n_tiles; i++) {
        const struct pi_a8_group *record = (const void *)(x + i * a->x_stride);
        for (size_t g = 0; g < n_groups; g++, record += PI_TILE_TOKENS) {
            for (size_t pair = 0; pair < TOKEN_PAIRS; pair++) {
                pair_tokens(record, pair, g, &tiles[i]);
            }
        }
    }
    for (size_t p = 0; p < a->n_panels; p++) {
        const void *w = a->w + p * a->panel_stride;
        struct expanded expanded;
        expand((const PARAM_GROUP *)w + first / PARAM_SPAN, n_groups, &expanded);
        float *out = a->out + tile * PI_TILE_TOKENS * a->out_stride + p * PI_PANEL_ROWS;
        for (size_t i = 0; i < n_tiles; i++, out += PI_TILE_TOKENS * a->out_stride) {
            run_tile(&expanded, n_groups, &tiles[i], out, a->out_stride,
                     first == 0 && !a->accumulate);
        }
    }
}

void PARAM_KERNEL(const struct pi_gemm_args *a) {
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
#undef OCTETS
#undef ROW_PAIRS
#undef TOKEN_PAIRS
#undef HALF_PAIRS
#undef PARTS
#include "kernels/undef_params.h"
