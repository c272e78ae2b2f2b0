/* q5_k panels for the scalar templates: the specification. */
#ifndef PYINFER_KERNELS_FORMATS_Q5_K_SCALAR_H
#define PYINFER_KERNELS_FORMATS_Q5_K_SCALAR_H

#include "kernels/formats/q5_k/layout.h"
#include "kernels/util/panel_codes.h"

PI_INLINE unsigned pi_code_q5_k(const struct pi_super_q5_k *g, size_t i, size_t row) {
    return pi_panel_nibble(g->q[i / 32], i % 32, row) | pi_panel_bit(g->high[i / 32], i % 32, row)
                                                            << 4;
}
PI_INLINE float pi_scale_q5_k(const struct pi_super_q5_k *g, size_t part, size_t row) {
    return pi_scale_of_k4(g->d[row], g->scale, part, row);
}
PI_INLINE float pi_min_q5_k(const struct pi_super_q5_k *g, size_t part, size_t row) {
    return pi_min_of_k4(g->dmin[row], g->scale, part, row);
}

#endif

#define PARAM_GROUP struct pi_super_q5_k
#define PARAM_SPAN 2
#define PARAM_PART_INPUTS 32
#define PARAM_BIAS 0
#define PARAM_HAS_MIN 1
#define PARAM_CODE pi_code_q5_k
#define PARAM_SCALE pi_scale_q5_k
#define PARAM_MIN pi_min_q5_k
