/* f32 <-> iq4_nl file blocks, the bytes of ggml's quantizer: of fifteen scales, from the one that puts
 * the value of largest magnitude on the first level, the one of least squared error, where a weight
 * counts with its square. A block with a NaN or Inf gets a NaN scale. */
#include "kernels/formats/iq4_nl/layout.h"
#include "kernels/util/block_codes.h"
#include "kernels/util/fit.h"
#include "kernels/formats/iq4_nl/levels.h"
#include "pyinfer/kernel_types.h"

pi_quantize_fn pi_quantize_iq4_nl_scalar;
pi_quantize_weighted_fn pi_quantize_weighted_iq4_nl_scalar;
pi_dequantize_fn pi_dequantize_iq4_nl_scalar;

#define TRIES 7

/* The upper level on a tie. */
static uint8_t nearest_level(float x) {
    uint8_t q = 0;
    for (uint8_t i = 1; i < 16; i++) {
        const int sum = PI_LEVELS_IQ4_NL[i - 1] + PI_LEVELS_IQ4_NL[i];
        q = x + x >= (float)sum ? i : q;
    }
    return q;
}

static struct pi_moments moments(const float *x, const float *w, float inverse) {
    struct pi_moments m = {0};
    for (size_t i = 0; i < PI_BLOCK_INPUTS; i++) {
        const float q = (float)PI_LEVELS_IQ4_NL[nearest_level(inverse * x[i])];
        m.xq += w[i] * q * x[i];
        m.qq += w[i] * q * q;
    }
    return m;
}

static void quantize_block(struct pi_block_iq4_nl *out, const float *x, const float *w) {
    const float largest = pi_largest(x, PI_BLOCK_INPUTS);
    *out = (struct pi_block_iq4_nl){.d = 0};
    float scale = 0.0f;
    if (fabsf(largest) >= PI_FIT_ZERO) {
        const float first = (float)PI_LEVELS_IQ4_NL[0];
        struct pi_moments m = moments(x, w, 1.0f / (-largest / first));
        scale = m.qq > 0.0f ? m.xq / m.qq : 0.0f; /* no importance at all: zeros, as ggml */
        float best = scale * m.xq;
        for (int try = -TRIES; try <= TRIES; try++) {
            m = moments(x, w, ((float)try + first) / largest);
            if (m.qq > 0.0f && m.xq * m.xq > best * m.qq) {
                scale = m.xq / m.qq;
                best = scale * m.xq;
            }
        }
    }
    const float inverse = scale != 0.0f ? 1.0f / scale : 0.0f;
    uint8_t code[PI_BLOCK_INPUTS];
    for (size_t i = 0; i < PI_BLOCK_INPUTS; i++) {
        code[i] = nearest_level(inverse * x[i]);
    }
    out->d = pi_f32_to_f16(scale);
    pi_set_nibbles(out->qs, code);
}

static void quantize(struct pi_block_iq4_nl *out, const float *x, const float *importance,
                     size_t n) {
    for (size_t at = 0; at < n; at += PI_BLOCK_INPUTS, out++, x += PI_BLOCK_INPUTS) {
        *out = (struct pi_block_iq4_nl){.d = PI_F16_NAN};
        if (!pi_all_finite(x, PI_BLOCK_INPUTS)) {
            continue;
        }
        float w[PI_BLOCK_INPUTS];
        if (importance != NULL) {
            const float variance = pi_squares(x, PI_BLOCK_INPUTS) * (2.0f / 32.0f);
            pi_fit_weights(x, importance + at, PI_BLOCK_INPUTS, variance, w);
        } else {
            for (size_t i = 0; i < PI_BLOCK_INPUTS; i++) {
                w[i] = x[i] * x[i];
            }
        }
        quantize_block(out, x, w);
    }
}

void pi_quantize_iq4_nl_scalar(void *blocks, const float *x, size_t n) {
    quantize(blocks, x, NULL, n);
}

void pi_quantize_weighted_iq4_nl_scalar(void *blocks, const float *x, const float *importance,
                                        size_t n) {
    quantize(blocks, x, importance, n);
}

void pi_dequantize_iq4_nl_scalar(float *x, const void *blocks, size_t n) {
    const struct pi_block_iq4_nl *in = blocks;
    for (size_t b = 0; b < n / PI_BLOCK_INPUTS; b++, x += PI_BLOCK_INPUTS) {
        uint8_t code[PI_BLOCK_INPUTS];
        pi_get_nibbles(code, in[b].qs);
        for (size_t i = 0; i < PI_BLOCK_INPUTS; i++) {
            x[i] = pi_f16_to_f32(in[b].d) * (float)PI_LEVELS_IQ4_NL[code[i]];
        }
    }
}
