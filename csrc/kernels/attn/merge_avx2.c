/* Merge of attention partials on 256-bit registers; the steps of merge_scalar.c. The sums are
 * multiplications and additions, not fma. */
#include "kernels/util/x86_math256.h"
#include "pyinfer/kernel_types.h"

pi_attn_merge_fn pi_attn_merge_avx2;

static float sum_of(const float *l) {
    return pi_sum16_256(_mm256_loadu_ps(l), _mm256_loadu_ps(l + 8));
}

static void rescale_add(float *out, const float *part, size_t n, float keep, float add) {
    size_t d = 0;
    for (; d + 8 <= n; d += 8) {
        const __m256 kept = _mm256_mul_ps(_mm256_loadu_ps(out + d), _mm256_set1_ps(keep));
        const __m256 added = _mm256_mul_ps(_mm256_loadu_ps(part + d), _mm256_set1_ps(add));
        _mm256_storeu_ps(out + d, _mm256_add_ps(kept, added));
    }
    for (; d < n; d++) {
        out[d] = out[d] * keep + part[d] * add;
    }
}

void pi_attn_merge_avx2(const struct pi_attn_merge_args *a) {
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
