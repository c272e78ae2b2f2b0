/* Attention over a q8_0 cache, scalar: the specification.
 *
 * The steps are those of kv_scalar.inc.h with two differences. Queries come as a8 and a score is a
 * q8_0 dot product: per 32 values in ascending order fma((float)isum, k_scale * q_scale, score) with
 * an exact integer sum. A token's weight is multiplied by the scale of 32 values of V before it
 * meets them: o = fma(p * v_scale, (float)v, o). */
#include "kernels/attn/kv_q8_0.h"
#include "kernels/attn/query_scalar.h"

pi_attn_fn pi_attn_kv_q8_0_scalar;

static float score_of(const struct pi_a8_group *q, const uint16_t *k_scale, const uint8_t *k,
                      size_t n, size_t token) {
    float score = 0.0f;
    for (size_t b = 0; b < n; b++) {
        const struct pi_a8_group *group = q + b / 4;
        int32_t sum = 0;
        for (size_t i = 0; i < PI_BLOCK_INPUTS; i++) {
            const size_t d = b * PI_BLOCK_INPUTS + i;
            sum += (int8_t)(k[pi_kv_q8_0_k_index(d, token)] ^ 0x80u) * group->q[d % 128];
        }
        const float scale = pi_f16_to_f32(k_scale[b * PI_KV_TILE_TOKENS + token]);
        score = fmaf((float)sum, scale * group->scale[b % 4], score);
    }
    return score;
}

static void add_token(float *o, float p, const uint16_t *v_scale, const int8_t *v, size_t n) {
    for (size_t b = 0; b < n; b++) {
        const float weight = p * pi_f16_to_f32(v_scale[b * PI_KV_TILE_TOKENS]);
        for (size_t i = 0; i < PI_BLOCK_INPUTS; i++) {
            const size_t d = b * PI_BLOCK_INPUTS + i;
            o[d] = fmaf(weight, (float)v[d], o[d]);
        }
    }
}

static void add_tile(const struct pi_attn_args *a, size_t query, const uint8_t *block, size_t tile,
                     size_t n_visible) {
    const struct pi_kv_q8_0_layout at = pi_kv_q8_0_layout(a->head_dim);
    const uint16_t *k_scale = (const uint16_t *)(const void *)block + tile * at.tile_scales;
    const uint16_t *v_scale =
        (const uint16_t *)(const void *)(block + at.v_scales) + tile * at.tile_scales;
    const uint8_t *k = block + at.k + tile * at.tile_k_bytes;
    const int8_t *v = (const int8_t *)block + at.v + tile * at.tile_k_bytes;
    float score[PI_KV_TILE_TOKENS];
    for (size_t t = 0; t < n_visible; t++) {
        score[t] = score_of(a->q8 + query * a->q8_stride, k_scale, k, at.n, t);
    }
    const float max = pi_raise_maximum(a, query, score, n_visible);
    float *l = a->l + query * PI_KV_TILE_TOKENS;
    float *o = a->o + query * a->v_stride;
    for (size_t t = 0; t < n_visible; t++) {
        const float p = pi_expf(score[t] - max);
        l[t] += p;
        add_token(o, p, v_scale + t, v + t * a->head_dim, at.n);
    }
}

void pi_attn_kv_q8_0_scalar(const struct pi_attn_args *a) {
    for (size_t i = 0; i < a->n_queries; i++) {
        pi_clear_query(a, i);
        const size_t last = pi_min_size((size_t)a->limit[i], a->last);
        for (size_t k = a->first; k < last; k += PI_KV_TILE_TOKENS) {
            const size_t block = (size_t)a->block_table[k / PI_KV_BLOCK_TOKENS];
            add_tile(a, i, a->kv + block * a->block_stride,
                     k % PI_KV_BLOCK_TOKENS / PI_KV_TILE_TOKENS,
                     pi_min_size(last - k, PI_KV_TILE_TOKENS));
        }
    }
}
