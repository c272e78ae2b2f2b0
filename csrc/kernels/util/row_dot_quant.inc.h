/* Template of the scalar dot product of one packed row with a8 activations: the specification of
 * every quantized GEMV and GEMM.
 *
 * Parameters:
 *   GROUP     packed group type
 *   START     start member of pi_a8_group for the format's bias
 *   WEIGHT    WEIGHT(group, block, input, row): unsigned weight
 *
 * Per block of 32 inputs, ascending: isum = start + sum(w * q), exact in int32;
 * f = fma((float)isum, weight_scale * activation_scale, f). */
#define SPAN 1 /* groups of activations that a GROUP covers */

#include "kernels/util/f16.h"
#include "pyinfer/kernel_types.h"
#include <math.h>

/* x_step: records between consecutive groups of the token. */
static float row_dot(const GROUP *group, size_t n_groups, size_t row, const struct pi_a8_group *x,
                     size_t x_step, float f) {
    for (size_t g = 0; g < n_groups; g++, group++, x += x_step) {
        for (size_t b = 0; b < 4; b++) {
            int32_t isum = x->START[b];
            for (size_t i = 0; i < PI_BLOCK_INPUTS; i++) {
                isum += (int32_t)WEIGHT(group, b, i, row) * x->q[PI_BLOCK_INPUTS * b + i];
            }
            f = fmaf((float)isum, pi_f16_to_f32(group->scale[b][row]) * x->scale[b], f);
        }
    }
    return f;
}

#undef START
#undef WEIGHT
