/* Part of templates: the scalar dot product of one packed row with f32 activations, the specification
 * of every float GEMV and GEMM: one fma chain in ascending input order. */
#include "kernels/util/f16.h"
#include "pyinfer/kernel_types.h"
#include <math.h>

#ifndef PARAM_GROUP
#error "dot/float_scalar.inc.h needs PARAM_GROUP"
#endif
#ifndef PARAM_WEIGHT
#error "dot/float_scalar.inc.h needs PARAM_WEIGHT"
#endif

static float row_dot(const PARAM_GROUP *group, size_t n_groups, size_t row, const float *x,
                     float f) {
    for (size_t g = 0; g < n_groups; g++, group++, x += PI_GROUP_INPUTS) {
        for (size_t i = 0; i < PI_GROUP_INPUTS; i++) {
            f = fmaf(PARAM_WEIGHT(group, i, row), x[i], f);
        }
    }
    return f;
}
