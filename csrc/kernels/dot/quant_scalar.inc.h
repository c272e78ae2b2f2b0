/* Part of templates: the scalar dot product of one packed row with a8 activations, the specification of
 * every quantized GEMV and GEMM.
 *
 * Per part of inputs that share a scale, ascending: isum = sum((code - BIAS) * q), exact in int32;
 * f = fma((float)isum, SCALE * activation_scale, f); then, if the format has minimums,
 * f = fma(MIN, activation_scale * (float)sum(q), f). */
#include "pyinfer/kernel_types.h"
#include <math.h>

#ifndef PARAM_GROUP
#error "dot/quant_scalar.inc.h needs PARAM_GROUP"
#endif
#ifndef PARAM_SPAN
#error "dot/quant_scalar.inc.h needs PARAM_SPAN"
#endif
#ifndef PARAM_PART_INPUTS
#error "dot/quant_scalar.inc.h needs PARAM_PART_INPUTS"
#endif
#ifndef PARAM_BIAS
#error "dot/quant_scalar.inc.h needs PARAM_BIAS"
#endif
#ifndef PARAM_HAS_MIN
#error "dot/quant_scalar.inc.h needs PARAM_HAS_MIN"
#endif
#ifndef PARAM_CODE
#error "dot/quant_scalar.inc.h needs PARAM_CODE"
#endif
#ifndef PARAM_SCALE
#error "dot/quant_scalar.inc.h needs PARAM_SCALE"
#endif
#if !PARAM_HAS_MIN
#define PARAM_MIN(group, part, row) 0.0f /* not added */
#endif
#ifndef PARAM_MIN
#error "dot/quant_scalar.inc.h needs PARAM_MIN"
#endif

#define PARTS_PER_GROUP (PI_GROUP_INPUTS / PARAM_PART_INPUTS)

/* x_step: records between consecutive groups of the token. */
static float row_dot(const PARAM_GROUP *group, size_t n_groups, size_t row,
                     const struct pi_a8_group *x, size_t x_step, float f) {
    for (size_t part = 0; part < n_groups * PARTS_PER_GROUP; part++) {
        const PARAM_GROUP *g = group + part / (PARAM_SPAN * PARTS_PER_GROUP);
        const size_t p = part % (PARAM_SPAN * PARTS_PER_GROUP);
        const struct pi_a8_group *record = x + part / PARTS_PER_GROUP * x_step;
        const size_t first = part % PARTS_PER_GROUP * PARAM_PART_INPUTS;
        const float scale = record->scale[first / PI_BLOCK_INPUTS];
        int32_t isum = 0;
        int32_t sum = 0;
        for (size_t i = 0; i < PARAM_PART_INPUTS; i++) {
            const int32_t q = record->q[first + i];
            isum += ((int32_t)PARAM_CODE(g, p * PARAM_PART_INPUTS + i, row) - PARAM_BIAS) * q;
            sum += q;
        }
        f = fmaf((float)isum, PARAM_SCALE(g, p, row) * scale, f);
        if (PARAM_HAS_MIN) {
            f = fmaf(PARAM_MIN(g, p, row), scale * (float)sum, f);
        }
    }
    return f;
}

#undef PARTS_PER_GROUP
