/* Template: AVX2 GEMV of a format with scaled parts. The streams advance in lockstep; 128 inputs of a
 * panel are expanded once for all tokens. Parameters: the AVX2 ones of a format with scaled parts
 * (README.md). */
#include "kernels/dot/scaled_avx2.inc.h"
#include "kernels/util/prefetch.h"

#ifndef PARAM_KERNEL
#error "gemv/scaled_avx2.inc.h needs PARAM_KERNEL"
#endif

pi_gemv_fn PARAM_KERNEL;

void PARAM_KERNEL(const struct pi_gemv_args *a) {
    const struct pi_a8_group *x = a->x;
    for (size_t p = 0; p < a->n_panels; p++) {
        float sums[PI_MAX_STREAMS][8][PI_PANEL_ROWS] PI_ALIGNED(64) = {0};
        for (size_t g = 0; g < a->n_groups; g++) {
            for (size_t s = 0; s < a->n_streams; s++) {
                const PARAM_GROUP *group =
                    (const PARAM_GROUP *)(const void *)a->w[s] + (p * a->n_groups + g) / PARAM_SPAN;
                const uint8_t *part =
                    (const uint8_t *)group + g % PARAM_SPAN * sizeof *group / PARAM_SPAN;
                pi_prefetch_stream(part, sizeof *group / PARAM_SPAN, a->prefetch_near,
                                   a->prefetch_far);
                struct expanded w PI_ALIGNED(64);
                expand_group(group, g % PARAM_SPAN, &w);
                group_dot(&w, x + g * a->n_tokens, a->n_tokens, sums[s][0], PI_PANEL_ROWS);
            }
        }
        for (size_t s = 0; s < a->n_streams; s++) {
            for (size_t t = 0; t < a->n_tokens; t++) {
                memcpy(a->out[s] + t * a->out_stride + p * PI_PANEL_ROWS, sums[s][t],
                       sizeof sums[s][t]);
            }
        }
    }
}

#include "kernels/undef_params.h"
