/* Template: one row of a packed quantized matrix as f32. Parameters: the scalar ones of a quantized
 * format (README.md). */
#include "kernels/util/f16.h"
#include "pyinfer/kernel_types.h"

#ifndef PARAM_KERNEL
#error "embed/quant_scalar.inc.h needs PARAM_KERNEL"
#endif
#ifndef PARAM_GROUP
#error "embed/quant_scalar.inc.h needs PARAM_GROUP"
#endif
#ifndef PARAM_SPAN
#error "embed/quant_scalar.inc.h needs PARAM_SPAN"
#endif
#ifndef PARAM_PART_INPUTS
#error "embed/quant_scalar.inc.h needs PARAM_PART_INPUTS"
#endif
#ifndef PARAM_BIAS
#error "embed/quant_scalar.inc.h needs PARAM_BIAS"
#endif
#ifndef PARAM_HAS_MIN
#error "embed/quant_scalar.inc.h needs PARAM_HAS_MIN"
#endif
#ifndef PARAM_CODE
#error "embed/quant_scalar.inc.h needs PARAM_CODE"
#endif
#ifndef PARAM_SCALE
#error "embed/quant_scalar.inc.h needs PARAM_SCALE"
#endif
#if !PARAM_HAS_MIN
#define PARAM_MIN(group, part, row) 0.0f /* not added */
#endif
#ifndef PARAM_MIN
#error "embed/quant_scalar.inc.h needs PARAM_MIN"
#endif

#define INPUTS (PARAM_SPAN * PI_GROUP_INPUTS)

pi_embed_fn PARAM_KERNEL;

void PARAM_KERNEL(float *out, const uint8_t *panels, size_t row, size_t n_groups) {
    const size_t n = n_groups / PARAM_SPAN;
    const PARAM_GROUP *group = (const PARAM_GROUP *)(const void *)panels + row / PI_PANEL_ROWS * n;
    const size_t r = row % PI_PANEL_ROWS;
    for (size_t g = 0; g < n; g++, group++, out += INPUTS) {
        for (size_t i = 0; i < INPUTS; i++) {
            const size_t part = i / PARAM_PART_INPUTS;
            const int32_t code = (int32_t)PARAM_CODE(group, i, r) - PARAM_BIAS;
            const float value = PARAM_SCALE(group, part, r) * (float)code;
            out[i] = PARAM_HAS_MIN ? value + PARAM_MIN(group, part, r) : value;
        }
    }
}

#undef INPUTS
#include "kernels/undef_params.h"
