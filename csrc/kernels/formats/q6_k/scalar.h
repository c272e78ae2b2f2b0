/* q6_k panels for the scalar templates: the specification. */
#ifndef PYINFER_KERNELS_FORMATS_Q6_K_SCALAR_H
#define PYINFER_KERNELS_FORMATS_Q6_K_SCALAR_H

#include "kernels/formats/q6_k/layout.h"
#include "kernels/util/panel_codes.h"

PI_INLINE unsigned pi_code_q6_k(const struct pi_super_q6_k *g, size_t i, size_t row) {
    return pi_panel_nibble(g->q[i / 32], i % 32, row) | pi_panel_pair(g->high[i / 32], i % 32, row)
                                                            << 4;
}
PI_INLINE float pi_scale_q6_k(const struct pi_super_q6_k *g, size_t part, size_t row) {
    return pi_bits_to_f32(g->d[row]) * (float)g->scale[part / 4][row][part % 4];
}

#endif

#define PARAM_GROUP struct pi_super_q6_k
#define PARAM_SPAN 2
#define PARAM_PART_INPUTS 16
#define PARAM_BIAS 32
#define PARAM_HAS_MIN 0
#define PARAM_CODE pi_code_q6_k
#define PARAM_SCALE pi_scale_q6_k
