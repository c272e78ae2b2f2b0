/* Merge of attention partials on 128-bit registers; the steps of merge_scalar.c. The sums are
 * multiplications and additions, not fma. */
#include "kernels/util/arm_math.h"
#include "pyinfer/kernel_types.h"

pi_attn_merge_fn pi_attn_merge_neon;

static float sum_of(const float *l) {
    const float32x4_t lane[4] = {vld1q_f32(l), vld1q_f32(l + 4), vld1q_f32(l + 8),
                                 vld1q_f32(l + 12)};
    return pi_sum16_128(lane);
}

static void rescale_add(float *out, const float *part, size_t n, float keep, float add) {
    size_t d = 0;
    for (; d + 4 <= n; d += 4) {
        const float32x4_t kept = vmulq_n_f32(vld1q_f32(out + d), keep);
        vst1q_f32(out + d, vaddq_f32(kept, vmulq_n_f32(vld1q_f32(part + d), add)));
    }
    for (; d < n; d++) {
        out[d] = out[d] * keep + part[d] * add;
    }
}

void pi_attn_merge_neon(const struct pi_attn_merge_args *a) {
    float max = a->m[0];
    float sum = sum_of(a->l);
    float *out = a->out == NULL ? a->o : a->out;
    memmove(out, a->o, a->head_dim * sizeof *out);
    for (size_t j = 1; j < a->n_parts; j++) {
        const float part_max = a->m[j * a->m_step];
        const float new_max = part_max > max ? part_max : max;
        const float keep = pi_expf(max - new_max);
        const float add = pi_expf(part_max - new_max);
        sum = sum * keep + sum_of(a->l + j * a->l_step) * add;
        rescale_add(out, a->o + j * a->o_step, a->head_dim, keep, add);
        max = new_max;
    }
    if (a->out == NULL) {
        memset(a->l, 0, PI_KV_TILE_TOKENS * sizeof *a->l);
        a->l[0] = sum;
        a->m[0] = max;
        return;
    }
    const float inverse = 1.0f / sum;
    for (size_t d = 0; d < a->head_dim; d++) {
        a->out[d] *= inverse;
    }
}
