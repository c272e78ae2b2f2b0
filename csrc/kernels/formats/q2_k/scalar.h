/* q2_k panels for the scalar templates: the specification. */
#ifndef PYINFER_KERNELS_FORMATS_Q2_K_SCALAR_H
#define PYINFER_KERNELS_FORMATS_Q2_K_SCALAR_H

#include "kernels/formats/q2_k/layout.h"
#include "kernels/util/panel_codes.h"

PI_INLINE unsigned pi_code_q2_k(const struct pi_super_q2_k *g, size_t i, size_t row) {
    return pi_panel_pair(g->q[i / 32], i % 32, row);
}
PI_INLINE float pi_scale_q2_k(const struct pi_super_q2_k *g, size_t part, size_t row) {
    return pi_f16_to_f32(g->d[row]) * (float)(g->scale[part / 4][row][part % 4] & 15);
}
PI_INLINE float pi_min_q2_k(const struct pi_super_q2_k *g, size_t part, size_t row) {
    return -(pi_f16_to_f32(g->dmin[row]) * (float)(g->scale[part / 4][row][part % 4] >> 4));
}

#endif

#define PARAM_GROUP struct pi_super_q2_k
#define PARAM_SPAN 2
#define PARAM_PART_INPUTS 16
#define PARAM_BIAS 0
#define PARAM_HAS_MIN 1
#define PARAM_CODE pi_code_q2_k
#define PARAM_SCALE pi_scale_q2_k
#define PARAM_MIN pi_min_q2_k
