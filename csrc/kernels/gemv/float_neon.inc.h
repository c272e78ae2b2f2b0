/* Template: float GEMV of aarch64, four rows per register, one fma chain per row.
 *
 * Parameters: those of aarch64 for a float format (README.md).
 *
 * Four chains of a panel and token hide little of the fma latency; the streams of a call are others. */
#include "kernels/util/arm_fma_lane.h"
#include "kernels/util/prefetch.h"
#include "pyinfer/kernel_types.h"

#ifndef PARAM_KERNEL
#error "gemv/float_neon.inc.h needs PARAM_KERNEL"
#endif
#ifndef PARAM_GROUP
#error "gemv/float_neon.inc.h needs PARAM_GROUP"
#endif
#ifndef PARAM_LINE_INPUTS
#error "gemv/float_neon.inc.h needs PARAM_LINE_INPUTS"
#endif
#ifndef PARAM_LOAD_LANES
#error "gemv/float_neon.inc.h needs PARAM_LOAD_LANES"
#endif

pi_gemv_fn PARAM_KERNEL;

#define STEP_INPUTS 4 /* one register of activations per token */
#define STEP_LINES (STEP_INPUTS / PARAM_LINE_INPUTS)

/* Four inputs of one panel. */
PI_INLINE void add_step(const PARAM_GROUP *group, size_t step, const float *x, size_t x_stride,
                        size_t n_tokens, float32x4_t (*f)[4]) {
    for (size_t half = 0; half < 2; half++) {
        PI_UNROLL(4)
        for (size_t line = 0; line < STEP_LINES; line++) {
            float32x4_t w[2][2];
            PARAM_LOAD_LANES(group, step * STEP_LINES + line, half, w);
            PI_UNROLL(2)
            for (size_t i = 0; i < PARAM_LINE_INPUTS; i++) {
                for (size_t t = 0; t < n_tokens; t++) {
                    const float32x4_t x_f32x4 = vld1q_f32(x + t * x_stride);
                    for (size_t quad = 0; quad < 2; quad++) {
                        float32x4_t *to = &f[t][2 * half + quad];
                        *to = pi_fma_lane(*to, w[i][quad], x_f32x4, line * PARAM_LINE_INPUTS + i);
                    }
                }
            }
        }
    }
}

PI_INLINE void run(const struct pi_gemv_args *a, size_t n_streams, size_t n_tokens) {
    const size_t n_steps = PI_GROUP_INPUTS / STEP_INPUTS;
    for (size_t p = 0; p < a->n_panels; p++) {
        float32x4_t f[PI_MAX_STREAMS][PI_TILE_TOKENS][4];
        for (size_t s = 0; s < n_streams; s++) {
            for (size_t t = 0; t < n_tokens; t++) {
                for (size_t quad = 0; quad < 4; quad++) {
                    f[s][t][quad] = vdupq_n_f32(0.0f);
                }
            }
        }
        for (size_t g = 0; g < a->n_groups; g++) {
            for (size_t step = 0; step < n_steps; step++) {
                const float *x = (const float *)a->x + g * PI_GROUP_INPUTS + step * STEP_INPUTS;
                for (size_t s = 0; s < n_streams; s++) {
                    const PARAM_GROUP *group =
                        (const PARAM_GROUP *)(const void *)a->w[s] + p * a->n_groups + g;
                    pi_prefetch_part(group, sizeof *group, step, n_steps, a->prefetch_near,
                                     a->prefetch_far);
                    add_step(group, step, x, a->x_stride, n_tokens, f[s]);
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

#undef STEP_INPUTS
#undef STEP_LINES
#include "kernels/undef_params.h"
