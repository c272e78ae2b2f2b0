/* Template: GEMM of a quantized format on 256-bit registers. Parameters: the AVX2 ones of a quantized
 * format (README.md).
 *
 * A group of a panel is unpacked once into planes of bytes, which stay in L1 while all tokens pass
 * over them. Without VNNI their values are 0 to 15: maddubs then adds two products per int16, at
 * most 3,810 in magnitude, so the eight steps of a block of 32 inputs stay below 30,480 and widening
 * is needed once per block; formats of 8 bits have two planes there: w = low + 16 * high.
 *
 * The register tile is 16 rows x (4 / PARAM_PLANES) tokens: eight accumulators, two weights, one
 * broadcast and one product of 16 registers; the float sums live in `out` (L1). */
#include "kernels/util/x86_broadcast256.h"
#include "pyinfer/kernel_types.h"
#include <string.h>

#ifndef PARAM_KERNEL
#error "gemm/quant_avx2.inc.h needs PARAM_KERNEL"
#endif
#ifndef PARAM_GROUP
#error "gemm/quant_avx2.inc.h needs PARAM_GROUP"
#endif
#ifndef PARAM_START
#error "gemm/quant_avx2.inc.h needs PARAM_START"
#endif
#ifndef PARAM_PLANES
#error "gemm/quant_avx2.inc.h needs PARAM_PLANES"
#endif
#ifndef PARAM_UNPACK_BLOCK
#error "gemm/quant_avx2.inc.h needs PARAM_UNPACK_BLOCK"
#endif
#ifndef PARAM_ADD_PRODUCTS
#error "gemm/quant_avx2.inc.h needs PARAM_ADD_PRODUCTS"
#endif
#ifndef PARAM_WIDEN
#error "gemm/quant_avx2.inc.h needs PARAM_WIDEN"
#endif

pi_gemm_fn PARAM_KERNEL;

#define PART (4 / PARAM_PLANES) /* tokens of a register tile */

struct block_planes {
    uint8_t line[PARAM_PLANES][8][PI_LINE_BYTES]; /* [plane][inputs 4j..4j+3][4 * row + input] */
};

PI_INLINE void start_sums(__m256i (*sum)[PART][2]) {
    for (size_t k = 0; k < PARAM_PLANES; k++) {
        for (size_t t = 0; t < PART; t++) {
            sum[k][t][0] = sum[k][t][1] = _mm256_setzero_si256();
        }
    }
}

/* Exact integer dots of one block, 8 rows, one token. */
PI_INLINE __m256i widen(__m256i sum[PARAM_PLANES][PART][2], size_t t, size_t half) {
    const __m256i low = PARAM_WIDEN(sum[0][t][half], 1);
    return PARAM_PLANES == 1
               ? low
               : _mm256_add_epi32(low, PARAM_WIDEN(sum[PARAM_PLANES - 1][t][half], 16));
}

/* One block of 16 rows times PART tokens onto their sums in `out`. */
PI_INLINE void add_block(const struct block_planes *planes, const uint16_t *scale, size_t b,
                         const struct pi_a8_group *x, float *out, size_t out_stride) {
    __m256i sum[PARAM_PLANES][PART][2];
    start_sums(sum);
    PI_UNROLL(2)
    for (size_t j = 0; j < 8; j++) {
        for (size_t k = 0; k < PARAM_PLANES; k++) {
            const __m256i *line = (const __m256i *)(const void *)planes->line[k][j];
            const __m256i w[2] = {_mm256_load_si256(line), _mm256_load_si256(line + 1)};
            for (size_t t = 0; t < PART; t++) {
                const __m256i q = pi_broadcast4_256(x[t].q + PI_BLOCK_INPUTS * b + 4 * j);
                for (size_t half = 0; half < 2; half++) {
                    sum[k][t][half] = PARAM_ADD_PRODUCTS(sum[k][t][half], w[half], q);
                }
            }
        }
    }
    for (size_t half = 0; half < 2; half++) {
        const __m256 scale_f32x8 =
            _mm256_cvtph_ps(_mm_load_si128((const __m128i *)(const void *)(scale + 8 * half)));
        for (size_t t = 0; t < PART; t++) {
            float *f = out + t * out_stride + 8 * half;
            const __m256i dot =
                _mm256_add_epi32(widen(sum, t, half), pi_broadcast4_256(&x[t].PARAM_START[b]));
            const __m256 product = _mm256_mul_ps(scale_f32x8, _mm256_broadcast_ss(&x[t].scale[b]));
            _mm256_storeu_ps(f,
                             _mm256_fmadd_ps(_mm256_cvtepi32_ps(dot), product, _mm256_loadu_ps(f)));
        }
    }
}

static void clear(const struct pi_gemm_args *a, float *out) {
    for (size_t t = 0; t < a->n_tiles * PI_TILE_TOKENS; t++) {
        memset(out + t * a->out_stride, 0, PI_PANEL_ROWS * sizeof *out);
    }
}

static void add_group(const struct pi_gemm_args *a, const PARAM_GROUP *group, size_t g,
                      float *out) {
    struct block_planes planes[4] PI_ALIGNED(64);
    for (size_t b = 0; b < 4; b++) {
        PARAM_UNPACK_BLOCK(group, b, planes[b].line);
    }
    for (size_t tile = 0; tile < a->n_tiles; tile++, out += PI_TILE_TOKENS * a->out_stride) {
        const struct pi_a8_group *x =
            (const struct pi_a8_group *)(const void *)((const uint8_t *)a->x + tile * a->x_stride) +
            g * PI_TILE_TOKENS;
        for (size_t b = 0; b < 4; b++) {
            for (size_t t = 0; t < PI_TILE_TOKENS; t += PART) {
                add_block(&planes[b], group->scale[b], b, x + t, out + t * a->out_stride,
                          a->out_stride);
            }
        }
    }
}

/* Groups outside, panels inside: the activations of one group and all tiles stay in L1. */
void PARAM_KERNEL(const struct pi_gemm_args *a) {
    for (size_t p = 0; p < a->n_panels && !a->accumulate; p++) {
        clear(a, a->out + p * PI_PANEL_ROWS);
    }
    for (size_t p = 0; p < a->n_panels; p++) {
        for (size_t g = 0; g < a->n_groups; g++) {
            const PARAM_GROUP *panel =
                (const PARAM_GROUP *)(const void *)(a->w + p * a->panel_stride);
            add_group(a, panel + g, g, a->out + p * PI_PANEL_ROWS);
        }
    }
}

#undef PART

#include "kernels/undef_params.h"
