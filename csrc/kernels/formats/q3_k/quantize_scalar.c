/* f32 <-> q3_k file blocks, the bytes of ggml's reference quantizer: a fit per 16 weights, where a
 * weight counts with its square; scales in 6 bits of the one of largest magnitude; codes once more
 * for the rounded ones. A super-block with a NaN or Inf gets a NaN scale. With
 * importances they weigh a search of scales, and the scales are fitted as well. */
#include "kernels/formats/q3_k/codes.h"
#include "kernels/util/fit.h"
#include "pyinfer/kernel_types.h"

pi_quantize_fn pi_quantize_q3_k_scalar;
pi_quantize_weighted_fn pi_quantize_weighted_q3_k_scalar;
pi_dequantize_fn pi_dequantize_q3_k_scalar;

#define PART 16

/* Scales of the parts and their codes -32..31 with the step in out->d. */
static void fit_scales(struct pi_block_q3_k *out, const float *x, int8_t *code, int8_t *rounded) {
    float scale[16];
    for (size_t p = 0; p < 16; p++) {
        float w[PART];
        for (size_t i = 0; i < PART; i++) {
            w[i] = x[PART * p + i] * x[PART * p + i];
        }
        scale[p] = pi_fit_rounds(x + PART * p, w, PART, 4, code + PART * p);
    }
    const float largest = pi_largest(scale, 16);
    memset(rounded, -32, 16);
    out->d = 0;
    if (largest != 0.0f) {
        const float inverse = -32.0f / largest;
        for (size_t p = 0; p < 16; p++) {
            rounded[p] = (int8_t)pi_clamp(pi_nearest(inverse * scale[p]), -32, 31);
        }
        out->d = pi_f32_to_f16(1.0f / inverse);
    }
}

static void fit_weighted(struct pi_block_q3_k *out, const float *x, const float *importance,
                         int8_t *code, int8_t *rounded) {
    const float variance = 2.0f * pi_squares(x, PI_SUPER_INPUTS) / 256.0f;
    float scale[16];
    float weight[16];
    for (size_t p = 0; p < 16; p++) {
        float w[PART];
        weight[p] = pi_fit_weights(x + PART * p, importance + PART * p, PART, variance, w);
        scale[p] = pi_fit_symmetric(x + PART * p, w, PART, 4, code + PART * p);
    }
    out->d = pi_f32_to_f16(pi_fit_symmetric(scale, weight, 16, 32, rounded));
}

static void quantize_super(struct pi_block_q3_k *out, const float *x, const float *importance) {
    int8_t code[PI_SUPER_INPUTS];
    int8_t rounded[16];
    if (importance != NULL) {
        fit_weighted(out, x, importance, code, rounded);
    } else {
        fit_scales(out, x, code, rounded);
    }
    pi_set_scales_k3(out->scales, rounded);
    uint8_t stored[PI_SUPER_INPUTS];
    for (size_t i = 0; i < PI_SUPER_INPUTS; i++) {
        const float s = pi_f16_to_f32(out->d) * (float)rounded[i / PART];
        const int32_t q = s != 0.0f ? pi_clamp(pi_nearest(x[i] / s), -4, 3) : code[i];
        stored[i] = (uint8_t)(q + 4);
    }
    pi_set_pairs(out->qs, stored, 0);
    pi_set_bits(out->hmask, stored, 2);
}

static void quantize(struct pi_block_q3_k *out, const float *x, const float *importance, size_t n) {
    for (size_t at = 0; at < n; at += PI_SUPER_INPUTS, out++) {
        *out = (struct pi_block_q3_k){.d = PI_F16_NAN};
        if (pi_all_finite(x + at, PI_SUPER_INPUTS)) {
            quantize_super(out, x + at, importance != NULL ? importance + at : NULL);
        }
    }
}

void pi_quantize_q3_k_scalar(void *blocks, const float *x, size_t n) {
    quantize(blocks, x, NULL, n);
}

void pi_quantize_weighted_q3_k_scalar(void *blocks, const float *x, const float *importance,
                                      size_t n) {
    quantize(blocks, x, importance, n);
}

void pi_dequantize_q3_k_scalar(float *x, const void *blocks, size_t n) {
    const struct pi_block_q3_k *in = blocks;
    for (size_t s = 0; s < n / PI_SUPER_INPUTS; s++, x += PI_SUPER_INPUTS) {
        uint8_t code[PI_SUPER_INPUTS];
        pi_get_pairs(code, in[s].qs);
        pi_add_bits(code, in[s].hmask, 2);
        for (size_t i = 0; i < PI_SUPER_INPUTS; i++) {
            const float scale = pi_f16_to_f32(in[s].d) * (float)pi_scale_k3(in[s].scales, i / PART);
            x[i] = scale * (float)(code[i] - 4);
        }
    }
}
