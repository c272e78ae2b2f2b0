/* Template of the scalar dot product of one packed row with a8 activations, for formats with a
 * minimum per part or with scales per 16 inputs: the specification of their GEMV and GEMM.
 *
 * Parameters:
 *   GROUP                    packed type, of SPAN * 128 inputs
 *   SPAN                     groups of activations that it covers: 1 or 2
 *   PART                     inputs that share a scale: 16 or 32
 *   BIAS                     subtracted from every code
 *   CODE(group, input, row)  unsigned weight
 *   SCALE(group, part, row)  f32
 *   MIN(group, part, row)    f32, added to every weight of the part; left out if there is none
 *
 * GROUP and SPAN stay defined for the template that includes this one.
 *
 * Per part, ascending: isum = sum((code - BIAS) * q), exact in int32; f = fma((float)isum,
 * SCALE * activation_scale, f); then f = fma(MIN, activation_scale * (float)sum(q), f). */
#include "kernels/util/panel_codes.h"
#include "pyinfer/kernel_types.h"
#include <math.h>

#define PARTS_PER_GROUP (PI_GROUP_INPUTS / PART)

/* x_step: records between consecutive groups of the token. */
static float row_dot(const GROUP *group, size_t n_groups, size_t row, const struct pi_a8_group *x,
                     size_t x_step, float f) {
    for (size_t part = 0; part < n_groups * PARTS_PER_GROUP; part++) {
        const GROUP *g = group + part / (SPAN * PARTS_PER_GROUP);
        const size_t p = part % (SPAN * PARTS_PER_GROUP);
        const struct pi_a8_group *record = x + part / PARTS_PER_GROUP * x_step;
        const size_t first = part % PARTS_PER_GROUP * PART;
        const float scale = record->scale[first / PI_BLOCK_INPUTS];
        int32_t isum = 0;
        int32_t sum = 0;
        for (size_t i = 0; i < PART; i++) {
            const int32_t q = record->q[first + i];
            isum += ((int32_t)CODE(g, p * PART + i, row) - BIAS) * q;
            sum += q;
        }
        f = fmaf((float)isum, SCALE(g, p, row) * scale, f);
#ifdef MIN
        f = fmaf(MIN(g, p, row), scale * (float)sum, f);
#else
        (void)sum;
#endif
    }
    return f;
}

#undef PART
#undef PARTS_PER_GROUP
#undef BIAS
#undef CODE
#undef SCALE
#ifdef MIN
#undef MIN
#endif
