/* Template of the scalar dot product of one packed row with f32 activations: the specification of
 * every float GEMV and GEMM.
 *
 * Parameters:
 *   GROUP     packed group type
 *   WEIGHT    WEIGHT(group, input, row): weight as float
 *
 * One fma chain in ascending input order. */
#include "kernels/util/f16.h"
#include "pyinfer/kernel_types.h"
#include <math.h>

static float row_dot(const GROUP *group, size_t n_groups, size_t row, const float *x, float f) {
    for (size_t g = 0; g < n_groups; g++, group++, x += PI_GROUP_INPUTS) {
        for (size_t i = 0; i < PI_GROUP_INPUTS; i++) {
            f = fmaf(WEIGHT(group, i, row), x[i], f);
        }
    }
    return f;
}

#undef WEIGHT
