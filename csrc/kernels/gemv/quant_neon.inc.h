/* Template: quantized GEMV of aarch64, four rows per register.
 *
 * Parameters: those of aarch64 for a quantized format (README.md).
 *
 * The streams of a call are walked in lockstep, a group of each in turn. Weights are unpacked once for
 * all tokens. The integer sums of one block of 32 inputs live in registers: of four quads of rows for few
 * tokens, of one quad for many. */
#include "kernels/util/prefetch.h"
#include "pyinfer/kernel_types.h"

#ifndef PARAM_KERNEL
#error "gemv/quant_neon.inc.h needs PARAM_KERNEL"
#endif
#ifndef PARAM_GROUP
#error "gemv/quant_neon.inc.h needs PARAM_GROUP"
#endif
#ifndef PARAM_SPAN
#error "gemv/quant_neon.inc.h needs PARAM_SPAN"
#endif
#ifndef PARAM_PART_INPUTS
#error "gemv/quant_neon.inc.h needs PARAM_PART_INPUTS"
#endif
#ifndef PARAM_BIAS
#error "gemv/quant_neon.inc.h needs PARAM_BIAS"
#endif
#ifndef PARAM_HAS_MIN
#error "gemv/quant_neon.inc.h needs PARAM_HAS_MIN"
#endif
#ifndef PARAM_LOAD_PAIR
#error "gemv/quant_neon.inc.h needs PARAM_LOAD_PAIR"
#endif
#ifndef PARAM_LOAD_SCALES16
#error "gemv/quant_neon.inc.h needs PARAM_LOAD_SCALES16"
#endif
#ifndef PARAM_SUMS
#error "gemv/quant_neon.inc.h needs PARAM_SUMS"
#endif
#if !PARAM_HAS_MIN
#define PARAM_LOAD_MINS16(group, part, min) (void)(min) /* not added */
#endif
#ifndef PARAM_LOAD_MINS16
#error "gemv/quant_neon.inc.h needs PARAM_LOAD_MINS16"
#endif
#if !PARAM_BIAS
#define PARAM_START start_q4 /* not read */
#endif
#ifndef PARAM_START
#error "gemv/quant_neon.inc.h needs PARAM_START"
#endif

#include "kernels/dot/part_sums_neon.inc.h"

#define SUMS(what) PI_JOIN(PARAM_SUMS, what) /* of the level: type and functions */

pi_gemv_fn PARAM_KERNEL;

/* Lines to prefetch per block, a constant number of them: a few are asked for twice. */
#define BLOCK_LINES ((sizeof(PARAM_GROUP) / PI_LINE_BYTES + 4 * PARAM_SPAN - 1) / (4 * PARAM_SPAN))
typedef float32x4_t row_sums[4]; /* of 16 rows */

/* What an integer sum starts from: the share of the bias. */
PI_INLINE int32x4_t start_of(const struct pi_a8_group *x, size_t b) {
    return PARAM_BIAS ? vld1q_dup_s32(&x->PARAM_START[b]) : vdupq_n_s32(0);
}

/* Integer sums of `n_quads` quads of rows from `quad` on, for all tokens. */
PI_INLINE void sum_quads(const PARAM_GROUP *group, size_t block, size_t b, size_t quad,
                         size_t n_quads, const struct pi_a8_group *x, size_t n_tokens,
                         PARAM_SUMS (*sum)[PARTS][4]) {
    SUMS(_inputs) first[PI_TILE_TOKENS];
    SUMS(_inputs) second[PI_TILE_TOKENS];
    for (size_t t = 0; t < n_tokens; t++) {
        first[t] = SUMS(_load)(x[t].q + PI_BLOCK_INPUTS * b);
        second[t] = SUMS(_load)(x[t].q + PI_BLOCK_INPUTS * b + 16);
        for (size_t part = 0; part < PARTS; part++) {
            for (size_t i = 0; i < n_quads; i++) {
                sum[t][part][i] = SUMS(_begin)(start_of(&x[t], b));
            }
        }
    }
    PI_UNROLL(4)
    for (size_t j = 0; j < 4; j++) {
        PI_UNROLL(4)
        for (size_t i = 0; i < n_quads; i++) {
            const int8x16x2_t code = PARAM_LOAD_PAIR(group, block, j, quad + i);
            PI_UNROLL(8)
            for (size_t t = 0; t < n_tokens; t++) {
                SUMS(_add)(&sum[t][0][i], &sum[t][PARTS - 1][i], code, first[t], j, second[t], j);
            }
        }
    }
}

PI_INLINE void add_block(const PARAM_GROUP *group, size_t block, size_t b,
                         const struct pi_a8_group *x, const float (*part_sums)[4 * PARTS],
                         size_t n_tokens, row_sums *f) {
    const size_t most = (size_t)SUMS(_most) / (n_tokens * PARTS);
    const size_t n_quads = most >= 4 ? 4 : most >= 2 ? 2 : 1;
    row_sums scale[PARTS];
    row_sums min[PARTS];
    for (size_t part = 0; part < PARTS; part++) {
        PARAM_LOAD_SCALES16(group, PARTS * block + part, scale[part]);
        if (PARAM_HAS_MIN) {
            PARAM_LOAD_MINS16(group, PARTS * block + part, min[part]);
        }
    }
    for (size_t quad = 0; quad < 4; quad += n_quads) {
        PARAM_SUMS sum[PI_TILE_TOKENS][PARTS][4];
        sum_quads(group, block, b, quad, n_quads, x, n_tokens, sum);
        for (size_t t = 0; t < n_tokens; t++) {
            for (size_t part = 0; part < PARTS; part++) {
                for (size_t i = 0; i < n_quads; i++) {
                    float32x4_t *to = &f[t][quad + i];
                    const float32x4_t s = vmulq_n_f32(scale[part][quad + i], x[t].scale[b]);
                    *to = vfmaq_f32(
                        *to, vcvtq_f32_s32(SUMS(_end)(sum[t][part][i], start_of(&x[t], b))), s);
                    if (PARAM_HAS_MIN) {
                        *to = vfmaq_n_f32(*to, min[part][quad + i], part_sums[t][PARTS * b + part]);
                    }
                }
            }
        }
    }
}

PI_INLINE void add_group(const struct pi_gemv_args *a, const PARAM_GROUP *group, size_t half,
                         const struct pi_a8_group *x, const float (*part_sums)[4 * PARTS],
                         size_t n_tokens, row_sums *f) {
    for (size_t b = 0; b < 4; b++) {
        const char *lines = (const char *)group + (4 * half + b) * BLOCK_LINES * PI_LINE_BYTES;
        pi_prefetch_stream(lines, BLOCK_LINES * PI_LINE_BYTES, a->prefetch_near, a->prefetch_far);
        add_block(group, 4 * half + b, b, x, part_sums, n_tokens, f);
    }
}

PI_INLINE void run(const struct pi_gemv_args *a, size_t n_streams, size_t n_tokens) {
    const size_t n_groups = a->n_groups / PARAM_SPAN;
    for (size_t p = 0; p < a->n_panels; p++) {
        row_sums f[PI_MAX_STREAMS][PI_TILE_TOKENS];
        for (size_t s = 0; s < n_streams; s++) {
            for (size_t t = 0; t < n_tokens; t++) {
                for (size_t quad = 0; quad < 4; quad++) {
                    f[s][t][quad] = vdupq_n_f32(0.0f);
                }
            }
        }
        const struct pi_a8_group *x = a->x;
        for (size_t g = 0; g < n_groups; g++) {
            for (size_t half = 0; half < PARAM_SPAN; half++, x += n_tokens) {
                float sums[PI_TILE_TOKENS][4 * PARTS];
                for (size_t t = 0; t < n_tokens; t++) {
                    scaled_sums(&x[t], sums[t]);
                }
                for (size_t s = 0; s < n_streams; s++) {
                    const PARAM_GROUP *group =
                        (const PARAM_GROUP *)(const void *)a->w[s] + p * n_groups + g;
                    add_group(a, group, half, x, (const float(*)[4 * PARTS]) sums, n_tokens, f[s]);
                }
            }
        }
        for (size_t s = 0; s < n_streams; s++) {
            for (size_t t = 0; t < n_tokens; t++) {
                for (size_t quad = 0; quad < 4; quad++) {
                    vst1q_f32(a->out[s] + t * a->out_stride + p * PI_PANEL_ROWS + 4 * quad,
                              f[s][t][quad]);
                }
            }
        }
    }
}

#define PARAM_RUN run
#include "kernels/gemv/variants.inc.h"

#undef BLOCK_LINES
#undef SUMS
#undef PARTS
#include "kernels/undef_params.h"
