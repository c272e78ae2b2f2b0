/* f32 -> q4_0 file blocks with a small sum of importance * error^2.
 *
 * For given codes q the best scale is sum(w x q) / sum(w q^2), which takes sum(w x q)^2 / sum(w q^2)
 * from the error. Candidates for the codes: the value of largest magnitude near either end of the
 * range, -8 or 7, in 19 steps of a tenth each. From the best of them codes and scale are fitted to
 * each other in turn. The result replaces the reference's (value of largest magnitude on -8) only
 * where its error with the scale as stored, in f16, is smaller. A block with a NaN or Inf gets a NaN
 * scale. */
#include "kernels/formats/q4_0/layout.h"
#include "kernels/util/f16.h"
#include "pyinfer/kernel_types.h"
#include <math.h>

pi_fit_fn pi_fit_q4_0_scalar;

#define N PI_BLOCK_INPUTS
#define STEPS 9  /* on each side of an end */
#define ROUNDS 3 /* of fitting in turn */
#define BOUND 8

struct moments {
    float xq, qq;
};

static float nearest(float x, float inverse) {
    const float q = floorf(x * inverse + 0.5f);
    return q<(float)-BOUND ? (float)-BOUND : q>(float)(BOUND - 1) ? (float)(BOUND - 1) : q;
}

static struct moments moments_of(const float *x, const float *w, float inverse) {
    struct moments m = {0};
    for (size_t i = 0; i < N; i++) {
        const float q = nearest(x[i], inverse);
        m.xq += w[i] * x[i] * q;
        m.qq += w[i] * q * q;
    }
    return m;
}

static float error_of(const float *x, const float *w, float d, float inverse) {
    float error = 0.0f;
    for (size_t i = 0; i < N; i++) {
        const float e = d * nearest(x[i], inverse) - x[i];
        error += w[i] * e * e;
    }
    return error;
}

/* The scale found, as stored. */
static float search(const float *x, const float *w, float largest) {
    float best = 0.0f;
    float scale = 0.0f;
    for (int32_t end = -BOUND; end <= BOUND - 1; end += 2 * BOUND - 1) {
        for (int32_t step = -STEPS; step <= STEPS; step++) {
            const struct moments m = moments_of(x, w, ((float)end + 0.1f * (float)step) / largest);
            if (m.qq > 0.0f && m.xq * m.xq > best * m.qq) {
                scale = m.xq / m.qq;
                best = m.xq * scale;
            }
        }
    }
    for (int32_t round = 0; round < ROUNDS && scale != 0.0f; round++) {
        const struct moments m = moments_of(x, w, 1.0f / scale);
        scale = m.qq > 0.0f ? m.xq / m.qq : 0.0f;
    }
    return pi_f16_to_f32(pi_f32_to_f16(scale));
}

static void fit_block(struct pi_block_q4_0 *out, const float *x, const float *importance) {
    float largest = x[0];
    float sum = 0.0f;
    for (size_t i = 0; i < N; i++) {
        largest = fabsf(x[i]) > fabsf(largest) ? x[i] : largest;
        sum += importance[i];
    }
    float w[N];
    for (size_t i = 0; i < N; i++) {
        w[i] = sum > 0.0f ? importance[i] : 1.0f;
    }
    const float plain = largest / (float)-BOUND;
    const float inverse = plain == 0.0f ? 0.0f : 1.0f / plain;
    float d = pi_f16_to_f32(pi_f32_to_f16(plain));
    float used = inverse;
    const float found = plain == 0.0f ? 0.0f : search(x, w, largest);
    const float other = found == 0.0f ? 0.0f : 1.0f / found;
    if (found != 0.0f && error_of(x, w, found, other) < error_of(x, w, d, inverse)) {
        d = found;
        used = other;
    }
    out->d = pi_f32_to_f16(d);
    for (size_t i = 0; i < 16; i++) {
        const uint8_t low = (uint8_t)(nearest(x[i], used) + (float)BOUND);
        const uint8_t high = (uint8_t)(nearest(x[16 + i], used) + (float)BOUND);
        out->qs[i] = (uint8_t)(low | (unsigned)high << 4);
    }
}

void pi_fit_q4_0_scalar(void *blocks, const float *x, const float *importance, size_t n) {
    struct pi_block_q4_0 *out = blocks;
    for (size_t b = 0; b < n / N; b++, x += N, importance += N) {
        if (pi_all_finite(x, N)) {
            fit_block(&out[b], x, importance);
        } else {
            out[b] = (struct pi_block_q4_0){.d = PI_F16_NAN};
        }
    }
}
