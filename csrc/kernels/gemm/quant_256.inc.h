/* Template: GEMM of a quantized format on 256-bit registers.
 *
 * A group of a panel is unpacked once into planes of bytes, which stay in L1 while all tokens pass
 * over them. Without VNNI their values are 0 to 15: maddubs then adds two products per int16, at
 * most 3,810 in magnitude, so the eight steps of a block of 32 inputs stay below 30,480 and widening
 * is needed once per block; formats of 8 bits have two planes there: w = low + 16 * high.
 *
 * The register tile is 16 rows x (4 / PLANES) tokens: eight accumulators, two weights, one
 * broadcast and one product of 16 registers; the float sums live in `out` (L1).
 *
 * Parameters: NAME, the exported symbol; pi_add_products() and pi_widen() of x86_sum_*256.h; and of
 * planes_<format>_<isa>.h:
 *   GROUP           packed group type
 *   PLANES          1 or 2
 *   BLOCK_START     field of pi_a8_group with the start values of the format
 *   unpack_block()  one block of a group into its planes */
#include "kernels/util/x86_broadcast256.h"

pi_gemm_fn NAME;

#define PART (4 / PLANES) /* tokens of a register tile */

PI_INLINE void start_sums(__m256i (*sum)[PART][2]) {
    for (size_t k = 0; k < PLANES; k++) {
        for (size_t t = 0; t < PART; t++) {
            sum[k][t][0] = sum[k][t][1] = _mm256_setzero_si256();
        }
    }
}

/* Exact integer dots of one block, 8 rows, one token. */
PI_INLINE __m256i widen(__m256i sum[PLANES][PART][2], size_t t, size_t half) {
    const __m256i low = pi_widen(sum[0][t][half], 1);
    return PLANES == 1 ? low : _mm256_add_epi32(low, pi_widen(sum[PLANES - 1][t][half], 16));
}

/* One block of 16 rows times PART tokens onto their sums in `out`. */
PI_INLINE void add_block(const block_planes *planes, const uint16_t *scale, size_t b,
                         const struct pi_a8_group *x, float *out, size_t out_stride) {
    __m256i sum[PLANES][PART][2];
    start_sums(sum);
    PI_UNROLL(2)
    for (size_t j = 0; j < 8; j++) {
        for (size_t k = 0; k < PLANES; k++) {
            const __m256i *line = (const __m256i *)(const void *)planes->line[k][j];
            const __m256i w[2] = {_mm256_load_si256(line), _mm256_load_si256(line + 1)};
            for (size_t t = 0; t < PART; t++) {
                const __m256i q = pi_broadcast4_256(x[t].q + PI_BLOCK_INPUTS * b + 4 * j);
                for (size_t half = 0; half < 2; half++) {
                    sum[k][t][half] = pi_add_products(sum[k][t][half], w[half], q);
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
                _mm256_add_epi32(widen(sum, t, half), pi_broadcast4_256(&x[t].BLOCK_START[b]));
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

static void add_group(const struct pi_gemm_args *a, const GROUP *group, size_t g, float *out) {
    block_planes planes[4] PI_ALIGNED(64);
    for (size_t b = 0; b < 4; b++) {
        unpack_block(group, b, &planes[b]);
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
void NAME(const struct pi_gemm_args *a) {
    for (size_t p = 0; p < a->n_panels && !a->accumulate; p++) {
        clear(a, a->out + p * PI_PANEL_ROWS);
    }
    for (size_t p = 0; p < a->n_panels; p++) {
        for (size_t g = 0; g < a->n_groups; g++) {
            const GROUP *panel = (const GROUP *)(const void *)(a->w + p * a->panel_stride);
            add_group(a, panel + g, g, a->out + p * PI_PANEL_ROWS);
        }
    }
}

#undef PART
#undef NAME
#undef GROUP
