/* Attention on 128-bit registers: what does not depend on the format of the cache. Queries that see the
 * same tokens of a tile go in parts of up to four. */
#ifndef PYINFER_KERNELS_ATTN_PARTS_NEON_H
#define PYINFER_KERNELS_ATTN_PARTS_NEON_H

#include "kernels/util/arm_fma_lane.h"
#include "kernels/util/arm_math.h"
#include "pyinfer/kernel_types.h"

#define MAX_PART 4
#define QUADS 4 /* registers of a tile of 16 tokens */

/* Lanes of quad k that stand for visible tokens. */
PI_INLINE uint32x4_t pi_visible_lanes(size_t n_visible, size_t k) {
    static const uint32_t first[4] = {0, 1, 2, 3};
    const uint32x4_t lane = vaddq_u32(vld1q_u32(first), vdupq_n_u32((uint32_t)(4 * k)));
    return vcltq_u32(lane, vdupq_n_u32((uint32_t)n_visible));
}

/* Maxima, exponentials and sums of n queries from their scores; p[query][token] and the factors by
 * which their outputs shrink. */
PI_INLINE void pi_weigh_part(const struct pi_attn_args *a, size_t query, size_t n, size_t n_visible,
                             float32x4_t (*score)[QUADS], float (*p)[PI_KV_TILE_TOKENS],
                             float *rescale) {
    for (size_t i = 0; i < n; i++) {
        /* A hidden score becomes the old maximum, which changes nothing; a NaN loses against it as in
         * the scalar comparison. */
        const float old = a->m[query + i];
        const float32x4_t old_f32x4 = vdupq_n_f32(old);
        float32x4_t largest = old_f32x4;
        for (size_t k = 0; k < QUADS; k++) {
            const uint32x4_t visible = pi_visible_lanes(n_visible, k);
            largest = vmaxnmq_f32(vbslq_f32(visible, score[i][k], old_f32x4), largest);
        }
        const float max = vmaxnmvq_f32(largest);
        rescale[i] = pi_expf(old - max);
        float *l = a->l + (query + i) * PI_KV_TILE_TOKENS;
        for (size_t k = 0; k < QUADS; k++) {
            const float32x4_t e = pi_exp128(vsubq_f32(score[i][k], vdupq_n_f32(max)));
            const float32x4_t weight = vreinterpretq_f32_u32(
                vandq_u32(vreinterpretq_u32_f32(e), pi_visible_lanes(n_visible, k)));
            vst1q_f32(p[i] + 4 * k, weight);
            const float32x4_t kept = vmulq_n_f32(vld1q_f32(l + 4 * k), rescale[i]);
            vst1q_f32(l + 4 * k, vaddq_f32(kept, weight));
        }
        a->m[query + i] = max;
    }
}

/* Sums of 16 values of o for n queries: loaded and rescaled, a token added, stored. */
PI_INLINE void pi_load_sums(const float *o, size_t o_stride, size_t n, const float *rescale,
                            float32x4_t (*sum)[QUADS]) {
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < QUADS; k++) {
            sum[i][k] = vmulq_n_f32(vld1q_f32(o + i * o_stride + 4 * k), rescale[i]);
        }
    }
}
PI_INLINE void pi_add_token(const float (*p)[PI_KV_TILE_TOKENS], size_t t, size_t n,
                            const float32x4_t *v, float32x4_t (*sum)[QUADS]) {
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < QUADS; k++) {
            sum[i][k] = vfmaq_n_f32(sum[i][k], v[k], p[i][t]);
        }
    }
}
PI_INLINE void pi_store_sums(float *o, size_t o_stride, size_t n, float32x4_t (*sum)[QUADS]) {
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < QUADS; k++) {
            vst1q_f32(o + i * o_stride + 4 * k, sum[i][k]);
        }
    }
}

#include "kernels/attn/parts.h"

#endif
