/* Merge of attention partials in ascending order, scalar: the specification.
 * (m, l, o) + (m', l', o'): both sides are rescaled to the larger maximum. */
#include "kernels/util/exp.h"
#include "kernels/util/lanes16.h"
#include "pyinfer/kernel_types.h"

pi_attn_merge_fn pi_attn_merge_scalar;

static void keep(const struct pi_attn_merge_args *a, float max, float sum) {
    a->m[0] = max;
    for (size_t t = 0; t < PI_KV_TILE_TOKENS; t++) {
        a->l[t] = t == 0 ? sum : 0.0f;
    }
}

void pi_attn_merge_scalar(const struct pi_attn_merge_args *a) {
    float max = a->m[0];
    float sum = pi_lanes16_sum(a->l);
    float *out = a->out == NULL ? a->o : a->out;
    for (size_t d = 0; d < a->head_dim; d++) {
        out[d] = a->o[d];
    }
    for (size_t j = 1; j < a->n_parts; j++) {
        const float part_max = a->m[j * a->m_step];
        const float *part = a->o + j * a->o_step;
        const float new_max = part_max > max ? part_max : max;
        const float shrink = pi_expf(max - new_max);
        const float add = pi_expf(part_max - new_max);
        sum = sum * shrink + pi_lanes16_sum(a->l + j * a->l_step) * add;
        for (size_t d = 0; d < a->head_dim; d++) {
            out[d] = out[d] * shrink + part[d] * add;
        }
        max = new_max;
    }
    if (a->out == NULL) {
        keep(a, max, sum);
        return;
    }
    const float inverse = 1.0f / sum;
    for (size_t d = 0; d < a->head_dim; d++) {
        a->out[d] *= inverse;
    }
}
