/* Merge of attention partials in ascending order, scalar: the specification.
 * (m, l, o) + (m', l', o'): both sides are rescaled to the larger maximum. */
#include "kernels/util/exp.h"
#include "kernels/util/lanes16.h"
#include "pyinfer/kernel_types.h"

pi_attn_merge_fn pi_attn_merge_scalar;

void pi_attn_merge_scalar(const struct pi_attn_merge_args *a) {
    float max = a->m[0];
    float sum = pi_lanes16_sum(a->l);
    for (size_t d = 0; d < a->head_dim; d++) {
        a->out[d] = a->o[d];
    }
    for (size_t j = 1; j < a->n_parts; j++) {
        const float part_max = a->m[j * a->m_step];
        const float *part = a->o + j * a->o_step;
        const float new_max = part_max > max ? part_max : max;
        const float keep = pi_expf(max - new_max);
        const float add = pi_expf(part_max - new_max);
        sum = sum * keep + pi_lanes16_sum(a->l + j * a->l_step) * add;
        for (size_t d = 0; d < a->head_dim; d++) {
            a->out[d] = a->out[d] * keep + part[d] * add;
        }
        max = new_max;
    }
    const float inverse = 1.0f / sum;
    for (size_t d = 0; d < a->head_dim; d++) {
        a->out[d] *= inverse;
    }
}
