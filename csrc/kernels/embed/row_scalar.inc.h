/* Template: one row of a packed matrix as f32.
 *
 * Parameters:
 *   NAME      exported symbol
 *   GROUP     packed group type
 *   INPUTS    inputs that it covers: 128, or 256 for the K formats
 *   VALUE     VALUE(group, input, row): weight as float */
#include "kernels/util/f16.h"
#include "pyinfer/kernel_types.h"

pi_embed_fn NAME;

void NAME(float *out, const uint8_t *panels, size_t row, size_t n_groups) {
    const size_t n = n_groups * PI_GROUP_INPUTS / INPUTS;
    const GROUP *group = (const GROUP *)(const void *)panels + row / PI_PANEL_ROWS * n;
    const size_t r = row % PI_PANEL_ROWS;
    for (size_t g = 0; g < n; g++, group++, out += INPUTS) {
        for (size_t i = 0; i < INPUTS; i++) {
            out[i] = VALUE(group, i, r);
        }
    }
}

#undef NAME
#undef GROUP
#undef INPUTS
#undef VALUE
