/* Template: GEMM with vpdpbusd of a format whose parts have minimums, or whose scales belong to 16
 * inputs.
 * Parameters: the AVX-512 ones of a format with scaled parts (README.md).
 *
 * Unpacking such codes and scales costs more than the dots of a few tokens, so four groups of two
 * panels are expanded to bytes and f32 scales once (20 to 28 KiB, L1) and serve all tiles of tokens.
 * The register tile is 2 panels x 8 tokens, as in quant_avx512vnni.inc.h: one broadcast of four
 * activation bytes feeds two dots, the 16 integer sums live in registers for one part, the float sums
 * in `out` (L1). Sums over 16 activations are no part of a record; they are computed once per four
 * groups for all panels. */
#include "pyinfer/kernel_types.h"

#ifndef PARAM_KERNEL
#error "gemm/scaled_avx512vnni.inc.h needs PARAM_KERNEL"
#endif
#ifndef PARAM_GROUP
#error "gemm/scaled_avx512vnni.inc.h needs PARAM_GROUP"
#endif
#ifndef PARAM_SPAN
#error "gemm/scaled_avx512vnni.inc.h needs PARAM_SPAN"
#endif
#ifndef PARAM_PART_INPUTS
#error "gemm/scaled_avx512vnni.inc.h needs PARAM_PART_INPUTS"
#endif
#ifndef PARAM_BIAS
#error "gemm/scaled_avx512vnni.inc.h needs PARAM_BIAS"
#endif
#ifndef PARAM_HAS_MIN
#error "gemm/scaled_avx512vnni.inc.h needs PARAM_HAS_MIN"
#endif
#ifndef PARAM_SCALES
#error "gemm/scaled_avx512vnni.inc.h needs PARAM_SCALES"
#endif
#ifndef PARAM_LOAD_SCALES
#error "gemm/scaled_avx512vnni.inc.h needs PARAM_LOAD_SCALES"
#endif
#ifndef PARAM_PART_SCALE
#error "gemm/scaled_avx512vnni.inc.h needs PARAM_PART_SCALE"
#endif
#ifndef PARAM_CODES
#error "gemm/scaled_avx512vnni.inc.h needs PARAM_CODES"
#endif
#if !PARAM_HAS_MIN
#define PARAM_PART_MIN(scales, part) _mm512_setzero_ps() /* not added */
#endif
#ifndef PARAM_PART_MIN
#error "gemm/scaled_avx512vnni.inc.h needs PARAM_PART_MIN"
#endif

#define PARTS (PI_BLOCK_INPUTS / PARAM_PART_INPUTS) /* of a block, with a scale each */

pi_gemm_fn PARAM_KERNEL;

#define EXPANDED_GROUPS 4 /* even: a super group is never parted */
#define EXPANDED_BLOCKS (4 * EXPANDED_GROUPS)
#define EXPANDED_PARTS (PARTS * EXPANDED_BLOCKS)
#define EXPANDED_TILES 8 /* tiles whose sums of parts are held at once */

struct expanded {
    __m512i code[EXPANDED_BLOCKS][PI_CHUNKS][2]; /* [block][chunk][panel] */
    __m512 scale[EXPANDED_PARTS][2];
    __m512 min[PARAM_HAS_MIN ? EXPANDED_PARTS : 1][2];
};

/* Per token, group and part of 16 inputs: the start of the integer sum, or the scaled sum. */
union part_sums {
    int32_t start[8];
    float scaled[8];
};
typedef union part_sums tile_sums[EXPANDED_GROUPS][PI_TILE_TOKENS];

static void sum_parts(const struct pi_a8_group *x, size_t n_groups, tile_sums sums) {
    for (size_t g = 0; g < n_groups; g++) {
        for (size_t t = 0; t < PI_TILE_TOKENS; t++, x++) {
            int32_t sum[8];
            pi_sums16_512(x->q, PARAM_HAS_MIN ? 1 : -PARAM_BIAS, sum);
            for (size_t p = 0; p < 8; p++) {
                if (PARAM_HAS_MIN) {
                    sums[g][t].scaled[p] = x->scale[p / 2] * (float)sum[p];
                } else {
                    sums[g][t].start[p] = sum[p];
                }
            }
        }
    }
}

static void expand(const PARAM_GROUP *group, size_t n_groups, size_t panel, struct expanded *to) {
    for (size_t g = 0; g < n_groups; g++) {
        const PARAM_GROUP *source = group + g / PARAM_SPAN;
        const size_t half = g % PARAM_SPAN;
        const PARAM_SCALES scales = PARAM_LOAD_SCALES(source, half);
        for (size_t p = 0; p < 4 * PARTS; p++) {
            to->scale[4 * PARTS * g + p][panel] = PARAM_PART_SCALE(&scales, p);
            if (PARAM_HAS_MIN) {
                to->min[4 * PARTS * g + p][panel] = PARAM_PART_MIN(&scales, p);
            }
        }
        for (size_t b = 0; b < 4; b++) {
            __m512i code_u8x64[PI_CHUNKS];
            PARAM_CODES(source, 4 * half + b, code_u8x64);
            for (size_t j = 0; j < PI_CHUNKS; j++) {
                to->code[4 * g + b][j][panel] = code_u8x64[j];
            }
        }
    }
}

/* One part of a block: its dots for 2 panels x 8 tokens onto their sums in `out`. */
PI_INLINE void add_part(const struct expanded *w, size_t block, size_t part, size_t n_panels,
                        const struct pi_a8_group *x, const union part_sums *sums, float *out,
                        size_t out_stride, bool from_zero) {
    const size_t b = block % 4;
    const size_t p = PARTS * b + part;
    __m512i isum_i32x16[2][PI_TILE_TOKENS];
    for (size_t t = 0; t < PI_TILE_TOKENS; t++) {
        for (size_t panel = 0; panel < n_panels; panel++) {
            isum_i32x16[panel][t] =
                PARAM_BIAS ? _mm512_set1_epi32(sums[t].start[p]) : _mm512_setzero_si512();
        }
    }
    PI_UNROLL(8)
    for (size_t j = part * PI_CHUNKS / PARTS; j < (part + 1) * PI_CHUNKS / PARTS; j++) {
        for (size_t t = 0; t < PI_TILE_TOKENS; t++) {
            const __m512i q = pi_broadcast4(x[t].q + PI_BLOCK_INPUTS * b + 4 * j);
            for (size_t panel = 0; panel < n_panels; panel++) {
                isum_i32x16[panel][t] =
                    _mm512_dpbusd_epi32(isum_i32x16[panel][t], w->code[block][j][panel], q);
            }
        }
    }
    for (size_t panel = 0; panel < n_panels; panel++) {
        const __m512 scale_f32x16 = w->scale[PARTS * block + part][panel];
        const __m512 min_f32x16 = w->min[PARAM_HAS_MIN ? PARTS * block + part : 0][panel];
        for (size_t t = 0; t < PI_TILE_TOKENS; t++) {
            float *at = out + t * out_stride + panel * PI_PANEL_ROWS;
            __m512 f = from_zero ? _mm512_setzero_ps() : _mm512_loadu_ps(at);
            f = pi_scale_step(isum_i32x16[panel][t], scale_f32x16, x[t].scale[b], f);
            if (PARAM_HAS_MIN) {
                const float sum = PARTS == 1 ? x[t].scaled_sum[b] : sums[t].scaled[p];
                f = _mm512_fmadd_ps(min_f32x16, _mm512_set1_ps(sum), f);
            }
            _mm512_storeu_ps(at, f);
        }
    }
}

/* All expanded groups times one tile. */
PI_INLINE void run(const struct expanded *w, size_t n_groups, size_t n_panels,
                   const struct pi_a8_group *x, const union part_sums (*sums)[PI_TILE_TOKENS],
                   float *out, size_t out_stride, bool from_zero) {
    for (size_t g = 0; g < n_groups; g++, x += PI_TILE_TOKENS) {
        for (size_t b = 0; b < 4; b++) {
            for (size_t part = 0; part < PARTS; part++) {
                if (from_zero) {
                    add_part(w, 4 * g + b, part, n_panels, x, sums[g], out, out_stride, true);
                    from_zero = false;
                } else {
                    add_part(w, 4 * g + b, part, n_panels, x, sums[g], out, out_stride, false);
                }
            }
        }
    }
}

static void run_pair(const struct expanded *w, size_t n_groups, const struct pi_a8_group *x,
                     const union part_sums (*sums)[PI_TILE_TOKENS], float *out, size_t out_stride,
                     bool from_zero) {
    run(w, n_groups, 2, x, sums, out, out_stride, from_zero);
}

static void run_one(const struct expanded *w, size_t n_groups, const struct pi_a8_group *x,
                    const union part_sums (*sums)[PI_TILE_TOKENS], float *out, size_t out_stride,
                    bool from_zero) {
    run(w, n_groups, 1, x, sums, out, out_stride, from_zero);
}

/* Groups [first, first + n_groups) of all panels times n_tiles tiles. */
static void multiply(const struct pi_gemm_args *a, size_t first, size_t n_groups, size_t tile,
                     size_t n_tiles) {
    const uint8_t *x = (const uint8_t *)a->x + tile * a->x_stride +
                       first * PI_TILE_TOKENS * sizeof(struct pi_a8_group);
    tile_sums sums[PARTS == 1 ? 1 : EXPANDED_TILES];
    for (size_t i = 0; PARTS > 1 && i < n_tiles; i++) {
        sum_parts((const void *)(x + i * a->x_stride), n_groups, sums[i]);
    }
    const bool from_zero = first == 0 && !a->accumulate;
    for (size_t p = 0; p < a->n_panels; p += 2) {
        const uint8_t *w = a->w + p * a->panel_stride;
        const bool pair = p + 1 < a->n_panels;
        struct expanded expanded;
        expand((const PARAM_GROUP *)(const void *)w + first / PARAM_SPAN, n_groups, 0, &expanded);
        if (pair) {
            expand((const PARAM_GROUP *)(const void *)(w + a->panel_stride) + first / PARAM_SPAN,
                   n_groups, 1, &expanded);
        }
        float *out = a->out + tile * PI_TILE_TOKENS * a->out_stride + p * PI_PANEL_ROWS;
        for (size_t i = 0; i < n_tiles; i++, out += PI_TILE_TOKENS * a->out_stride) {
            (pair ? run_pair : run_one)(&expanded, n_groups, (const void *)(x + i * a->x_stride),
                                        (const void *)sums[PARTS == 1 ? 0 : i], out, a->out_stride,
                                        from_zero);
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

#undef PARTS
#include "kernels/undef_params.h"
