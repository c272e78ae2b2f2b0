/* q5_1 panels for the scalar templates: the specification. */
#ifndef PYINFER_KERNELS_FORMATS_Q5_1_SCALAR_H
#define PYINFER_KERNELS_FORMATS_Q5_1_SCALAR_H

#include "kernels/formats/q5_1/layout.h"
#include "kernels/util/panel_codes.h"

PI_INLINE unsigned pi_code_q5_1(const struct pi_group_q5_1 *g, size_t i, size_t row) {
    return pi_panel_nibble(g->q[i / 32], i % 32, row) | pi_panel_bit(g->high[i / 32], i % 32, row)
                                                            << 4;
}
PI_INLINE float pi_scale_q5_1(const struct pi_group_q5_1 *g, size_t part, size_t row) {
    return pi_f16_to_f32(g->scale[part][row]);
}
PI_INLINE float pi_min_q5_1(const struct pi_group_q5_1 *g, size_t part, size_t row) {
    return pi_f16_to_f32(g->min[part][row]);
}

#endif

#define PARAM_GROUP struct pi_group_q5_1
#define PARAM_SPAN 1
#define PARAM_PART_INPUTS 32
#define PARAM_BIAS 0
#define PARAM_HAS_MIN 1
#define PARAM_CODE pi_code_q5_1
#define PARAM_SCALE pi_scale_q5_1
#define PARAM_MIN pi_min_q5_1
