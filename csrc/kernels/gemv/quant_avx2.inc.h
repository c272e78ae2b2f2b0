/* Template: AVX2 GEMV of a quantized format. The streams advance in lockstep, group by group, with
 * their partial sums in a small array; tokens run in parts of up to 4, which share the unpacked
 * weights. Parameters: the AVX2 ones of a quantized format (README.md). */
#include "kernels/dot/quant_avx2.inc.h"
#include "kernels/util/prefetch.h"
#include "pyinfer/kernel_types.h"
#include <string.h>

#ifndef PARAM_KERNEL
#error "gemv/quant_avx2.inc.h needs PARAM_KERNEL"
#endif

pi_gemv_fn PARAM_KERNEL;

static void add_group(const PARAM_GROUP *group, const struct pi_a8_group *x, size_t n_tokens,
                      size_t far, row_sums *sums) {
    if (n_tokens >= 4) {
        group_dot(group, x, 4, true, far, sums);
        for (n_tokens -= 4, x += 4, sums += 4; n_tokens >= 4; n_tokens -= 4, x += 4, sums += 4) {
            group_dot(group, x, 4, false, far, sums);
        }
        far = 0; /* once is enough */
    }
    switch (n_tokens) {
    case 3: group_dot(group, x, 3, true, far, sums); break;
    case 2: group_dot(group, x, 2, true, far, sums); break;
    case 1: group_dot(group, x, 1, true, far, sums); break;
    default: break;
    }
}

void PARAM_KERNEL(const struct pi_gemv_args *a) {
    const struct pi_a8_group *x = a->x;
    for (size_t p = 0; p < a->n_panels; p++) {
        row_sums sums[PI_MAX_STREAMS][8] PI_ALIGNED(64) = {0};
        for (size_t g = 0; g < a->n_groups; g++) {
            for (size_t s = 0; s < a->n_streams; s++) {
                const PARAM_GROUP *group =
                    (const PARAM_GROUP *)(const void *)a->w[s] + p * a->n_groups + g;
                pi_prefetch_stream(group, sizeof *group, a->prefetch_near, 0);
                add_group(group, x + g * a->n_tokens, a->n_tokens, a->prefetch_far, sums[s]);
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
