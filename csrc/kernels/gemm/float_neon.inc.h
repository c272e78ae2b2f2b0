/* Template: float GEMM of aarch64, a register tile of half a panel (8 rows) x 8 tokens: 16 chains, four
 * inputs of each token in a register.
 *
 * Parameters: those of aarch64 for a float format (README.md). */
#include "kernels/util/arm_fma_lane.h"
#include "pyinfer/kernel_types.h"

#ifndef PARAM_KERNEL
#error "gemm/float_neon.inc.h needs PARAM_KERNEL"
#endif
#ifndef PARAM_GROUP
#error "gemm/float_neon.inc.h needs PARAM_GROUP"
#endif
#ifndef PARAM_LINE_INPUTS
#error "gemm/float_neon.inc.h needs PARAM_LINE_INPUTS"
#endif
#ifndef PARAM_LOAD_LANES
#error "gemm/float_neon.inc.h needs PARAM_LOAD_LANES"
#endif

pi_gemm_fn PARAM_KERNEL;

#define STEP_INPUTS 4
#define STEP_LINES (STEP_INPUTS / PARAM_LINE_INPUTS)

PI_INLINE void add_step(const PARAM_GROUP *group, size_t step, size_t half, const float *x,
                        size_t x_stride, float32x4_t (*f)[PI_TILE_TOKENS]) {
    float32x4_t x_f32x4[PI_TILE_TOKENS];
    for (size_t t = 0; t < PI_TILE_TOKENS; t++) {
        x_f32x4[t] = vld1q_f32(x + t * x_stride + step * STEP_INPUTS);
    }
    PI_UNROLL(4)
    for (size_t line = 0; line < STEP_LINES; line++) {
        float32x4_t w[2][2];
        PARAM_LOAD_LANES(group, step * STEP_LINES + line, half, w);
        PI_UNROLL(2)
        for (size_t i = 0; i < PARAM_LINE_INPUTS; i++) {
            for (size_t quad = 0; quad < 2; quad++) {
                for (size_t t = 0; t < PI_TILE_TOKENS; t++) {
                    f[quad][t] = pi_fma_lane(f[quad][t], w[i][quad], x_f32x4[t],
                                             line * PARAM_LINE_INPUTS + i);
                }
            }
        }
    }
}

static void run(const struct pi_gemm_args *a, size_t tile, size_t panel, size_t half) {
    const float *x = (const float *)a->x + tile * PI_TILE_TOKENS * a->x_stride;
    const PARAM_GROUP *group = (const void *)(a->w + panel * a->panel_stride);
    float *out = a->out + tile * PI_TILE_TOKENS * a->out_stride + panel * PI_PANEL_ROWS + 8 * half;
    float32x4_t f[2][PI_TILE_TOKENS];
    for (size_t quad = 0; quad < 2; quad++) {
        for (size_t t = 0; t < PI_TILE_TOKENS; t++) {
            f[quad][t] =
                a->accumulate ? vld1q_f32(out + t * a->out_stride + 4 * quad) : vdupq_n_f32(0.0f);
        }
    }
    for (size_t g = 0; g < a->n_groups; g++, group++, x += PI_GROUP_INPUTS) {
        for (size_t step = 0; step < PI_GROUP_INPUTS / STEP_INPUTS; step++) {
            add_step(group, step, half, x, a->x_stride, f);
        }
    }
    for (size_t quad = 0; quad < 2; quad++) {
        for (size_t t = 0; t < PI_TILE_TOKENS; t++) {
            vst1q_f32(out + t * a->out_stride + 4 * quad, f[quad][t]);
        }
    }
}

void PARAM_KERNEL(const struct pi_gemm_args *a) {
    for (size_t tile = 0; tile < a->n_tiles; tile++) {
        for (size_t panel = 0; panel < a->n_panels; panel++) {
            run(a, tile, panel, 0);
            run(a, tile, panel, 1);
        }
    }
}

#undef STEP_INPUTS
#undef STEP_LINES
#include "kernels/undef_params.h"
