/* f32 <-> q6_k file blocks, the bytes of ggml's reference quantizer: a fit per 16 weights, where a
 * weight counts with its square, or with its importance if there are any; scales in 8 bits of the one of largest magnitude; codes once more
 * for the rounded ones. A super-block with a NaN or Inf gets a NaN scale. */
#include "kernels/formats/q6_k/codes.h"
#include "kernels/util/fit.h"
#include "pyinfer/kernel_types.h"

pi_quantize_fn pi_quantize_q6_k_scalar;
pi_quantize_weighted_fn pi_quantize_weighted_q6_k_scalar;
pi_dequantize_fn pi_dequantize_q6_k_scalar;

#define PART 16

static void quantize_super(struct pi_block_q6_k *out, const float *x, const float *importance) {
    int8_t code[PI_SUPER_INPUTS];
    float scale[16];
    for (size_t p = 0; p < 16; p++) {
        float w[PART];
        for (size_t i = 0; i < PART; i++) {
            const float value = x[PART * p + i];
            w[i] = importance != NULL ? importance[PART * p + i] : value * value;
        }
        scale[p] = pi_fit_symmetric(x + PART * p, w, PART, 32, code + PART * p);
    }
    const float largest = pi_largest(scale, 16);
    if (fabsf(largest) < PI_FIT_ZERO) {
        *out = (struct pi_block_q6_k){.d = 0};
        return;
    }
    const float inverse = -128.0f / largest;
    out->d = pi_f32_to_f16(1.0f / inverse);
    uint8_t stored[PI_SUPER_INPUTS];
    for (size_t p = 0; p < 16; p++) {
        const int32_t rounded = pi_nearest(inverse * scale[p]);
        out->scales[p] = (int8_t)(rounded > 127 ? 127 : rounded);
        const float s = pi_f16_to_f32(out->d) * (float)out->scales[p];
        for (size_t i = PART * p; i < PART * (p + 1); i++) {
            const int32_t q = s != 0.0f ? pi_clamp(pi_nearest(x[i] / s), -32, 31) : code[i];
            stored[i] = (uint8_t)(q + 32);
        }
    }
    pi_set_codes6(out, stored);
}

static void quantize(struct pi_block_q6_k *out, const float *x, const float *importance, size_t n) {
    for (size_t at = 0; at < n; at += PI_SUPER_INPUTS, out++) {
        *out = (struct pi_block_q6_k){.d = PI_F16_NAN};
        if (pi_all_finite(x + at, PI_SUPER_INPUTS)) {
            quantize_super(out, x + at, importance != NULL ? importance + at : NULL);
        }
    }
}

void pi_quantize_q6_k_scalar(void *blocks, const float *x, size_t n) {
    quantize(blocks, x, NULL, n);
}

void pi_quantize_weighted_q6_k_scalar(void *blocks, const float *x, const float *importance,
                                      size_t n) {
    quantize(blocks, x, importance, n);
}

void pi_dequantize_q6_k_scalar(float *x, const void *blocks, size_t n) {
    const struct pi_block_q6_k *in = blocks;
    for (size_t s = 0; s < n / PI_SUPER_INPUTS; s++, x += PI_SUPER_INPUTS) {
        uint8_t code[PI_SUPER_INPUTS];
        pi_get_codes6(code, &in[s]);
        for (size_t i = 0; i < PI_SUPER_INPUTS; i++) {
            const float scale = pi_f16_to_f32(in[s].d) * (float)in[s].scales[i / PART];
            x[i] = scale * (float)(code[i] - 32);
        }
    }
}
