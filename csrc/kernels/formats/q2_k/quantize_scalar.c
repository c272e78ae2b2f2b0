/* f32 <-> q2_k file blocks, the bytes of ggml's reference quantizer: an affine fit per 16 weights by
 * absolute error, where a weight counts with its magnitude; scales and minimums in 4 bits of the
 * largest; codes once more for the rounded ones. A super-block with a NaN or Inf gets a NaN scale.
 * With importances they weigh the fits, by squared error, and scales and minimums are fitted too. */
#include "kernels/formats/q2_k/layout.h"
#include "kernels/util/block_codes.h"
#include "kernels/util/fit.h"
#include "pyinfer/kernel_types.h"

pi_quantize_fn pi_quantize_q2_k_scalar;
pi_quantize_weighted_fn pi_quantize_weighted_q2_k_scalar;
pi_dequantize_fn pi_dequantize_q2_k_scalar;

#define PART 16

/* Four bits of 16 values at `shift`; returns what one step is worth. */
static float round_scales(const float *value, uint8_t *scales, size_t shift) {
    float largest = 0.0f;
    for (size_t p = 0; p < 16; p++) {
        largest = value[p] > largest ? value[p] : largest;
    }
    if (!(largest > 0.0f)) {
        return 0.0f;
    }
    const float inverse = 15.0f / largest;
    for (size_t p = 0; p < 16; p++) {
        scales[p] = (uint8_t)(scales[p] | pi_nearest(inverse * value[p]) << shift);
    }
    return largest / 15.0f;
}

struct fits {
    float scale[16], min[16], weight[16];
    uint8_t code[PI_SUPER_INPUTS];
};

static void fit_parts(const float *x, const float *importance, struct fits *fits) {
    const struct pi_fit_grid grid = {-0.5f, 0.1f, 15, true};
    const float variance = pi_squares(x, PI_SUPER_INPUTS) / 256.0f;
    for (size_t p = 0; p < 16; p++, x += PART) {
        float w[PART];
        if (importance != NULL) {
            fits->weight[p] = pi_fit_weights(x, importance + PART * p, PART, variance, w);
        } else {
            for (size_t i = 0; i < PART; i++) {
                w[i] = fabsf(x[i]);
            }
        }
        fits->scale[p] = pi_fit_affine(x, w, PART, 3, importance != NULL ? PI_FIT_WEIGHTED : grid,
                                       fits->code + PART * p, &fits->min[p]);
    }
}

static void quantize_super(struct pi_block_q2_k *out, const float *x, const float *importance) {
    struct fits fits;
    fit_parts(x, importance, &fits);
    if (importance != NULL) {
        uint8_t scale[16];
        uint8_t min[16];
        out->d = pi_f32_to_f16(pi_fit_positive(fits.scale, fits.weight, 16, 15, scale));
        out->dmin = pi_f32_to_f16(pi_fit_positive(fits.min, fits.weight, 16, 15, min));
        for (size_t p = 0; p < 16; p++) {
            out->scales[p] = (uint8_t)(scale[p] | min[p] << 4);
        }
    } else {
        out->d = pi_f32_to_f16(round_scales(fits.scale, out->scales, 0));
        out->dmin = pi_f32_to_f16(round_scales(fits.min, out->scales, 4));
    }
    for (size_t p = 0; p < 16; p++) {
        const float s = pi_f16_to_f32(out->d) * (float)(out->scales[p] & 15);
        const float m = pi_f16_to_f32(out->dmin) * (float)(out->scales[p] >> 4);
        for (size_t i = PART * p; s != 0.0f && i < PART * (p + 1); i++) {
            fits.code[i] = (uint8_t)pi_clamp(pi_nearest((x[i] + m) / s), 0, 3);
        }
    }
    pi_set_pairs(out->qs, fits.code, 0);
}

static void quantize(struct pi_block_q2_k *out, const float *x, const float *importance, size_t n) {
    for (size_t at = 0; at < n; at += PI_SUPER_INPUTS, out++) {
        *out = (struct pi_block_q2_k){.d = PI_F16_NAN};
        if (pi_all_finite(x + at, PI_SUPER_INPUTS)) {
            quantize_super(out, x + at, importance != NULL ? importance + at : NULL);
        }
    }
}

void pi_quantize_q2_k_scalar(void *blocks, const float *x, size_t n) {
    quantize(blocks, x, NULL, n);
}

void pi_quantize_weighted_q2_k_scalar(void *blocks, const float *x, const float *importance,
                                      size_t n) {
    quantize(blocks, x, importance, n);
}

void pi_dequantize_q2_k_scalar(float *x, const void *blocks, size_t n) {
    const struct pi_block_q2_k *in = blocks;
    for (size_t s = 0; s < n / PI_SUPER_INPUTS; s++, x += PI_SUPER_INPUTS) {
        uint8_t code[PI_SUPER_INPUTS];
        pi_get_pairs(code, in[s].qs);
        for (size_t i = 0; i < PI_SUPER_INPUTS; i++) {
            const uint8_t scales = in[s].scales[i / PART];
            const float scale = pi_f16_to_f32(in[s].d) * (float)(scales & 15);
            x[i] = scale * (float)code[i] - pi_f16_to_f32(in[s].dmin) * (float)(scales >> 4);
        }
    }
}
