/* Template: f32 <-> file blocks of q4_k and q5_k, the bytes of ggml's reference quantizer: an affine
 * fit per 32 weights, where a weight counts with its magnitude plus the root mean square of the
 * block; scales and minimums in 6 bits of the largest; codes once more for the rounded ones. A
 * super-block with a NaN or Inf gets a NaN scale. With importances they weigh the fits, and the
 * scales and minimums are fitted as well. */
#include "kernels/util/block_codes.h"
#include "kernels/util/fit.h"
#include "pyinfer/kernel_types.h"

#ifndef PARAM_QUANTIZE
#error "quantize/k4_scalar.inc.h needs PARAM_QUANTIZE"
#endif
#ifndef PARAM_QUANTIZE_WEIGHTED
#error "quantize/k4_scalar.inc.h needs PARAM_QUANTIZE_WEIGHTED"
#endif
#ifndef PARAM_DEQUANTIZE
#error "quantize/k4_scalar.inc.h needs PARAM_DEQUANTIZE"
#endif
#ifndef PARAM_BLOCK
#error "quantize/k4_scalar.inc.h needs PARAM_BLOCK"
#endif
#ifndef PARAM_TOP
#error "quantize/k4_scalar.inc.h needs PARAM_TOP"
#endif
#ifndef PARAM_GET_CODES
#error "quantize/k4_scalar.inc.h needs PARAM_GET_CODES"
#endif
#ifndef PARAM_SET_CODES
#error "quantize/k4_scalar.inc.h needs PARAM_SET_CODES"
#endif
#ifndef PARAM_GRID
#error "quantize/k4_scalar.inc.h needs PARAM_GRID"
#endif

pi_quantize_fn PARAM_QUANTIZE;
pi_quantize_weighted_fn PARAM_QUANTIZE_WEIGHTED;
pi_dequantize_fn PARAM_DEQUANTIZE;

struct fits {
    float scale[8], min[8], weight[8];
    uint8_t code[PI_SUPER_INPUTS];
};

static void fit_blocks(const float *x, const float *importance, struct fits *fits) {
    const float variance = 2.0f * pi_squares(x, PI_SUPER_INPUTS) / 256.0f;
    for (size_t b = 0; b < 8; b++, x += PI_BLOCK_INPUTS) {
        float w[PI_BLOCK_INPUTS];
        if (importance != NULL) {
            fits->weight[b] =
                pi_fit_weights(x, importance + PI_BLOCK_INPUTS * b, PI_BLOCK_INPUTS, variance, w);
        } else {
            const float rms = sqrtf(pi_squares(x, PI_BLOCK_INPUTS) / 32.0f);
            for (size_t i = 0; i < PI_BLOCK_INPUTS; i++) {
                w[i] = rms + fabsf(x[i]);
            }
        }
        fits->scale[b] = pi_fit_affine(x, w, PI_BLOCK_INPUTS, PARAM_TOP,
                                       importance != NULL ? PI_FIT_WEIGHTED : PARAM_GRID,
                                       fits->code + PI_BLOCK_INPUTS * b, &fits->min[b]);
    }
}

/* Six bits of eight values; returns what one step is worth. */
static float round_scales(const float *value, uint8_t *rounded) {
    float largest = 0.0f;
    for (size_t b = 0; b < 8; b++) {
        largest = value[b] > largest ? value[b] : largest;
    }
    const float inverse = largest > 0.0f ? 63.0f / largest : 0.0f;
    for (size_t b = 0; b < 8; b++) {
        const uint8_t nearest = (uint8_t)pi_nearest(inverse * value[b]);
        rounded[b] = nearest > 63 ? 63 : nearest;
    }
    return largest / 63.0f;
}

static void round_codes(const float *x, const PARAM_BLOCK *block, uint8_t *code) {
    for (size_t b = 0; b < 8; b++) {
        const float scale = pi_f16_to_f32(block->d) * (float)pi_scale_k4(block->scales, b);
        const float min = pi_f16_to_f32(block->dmin) * (float)pi_min_k4(block->scales, b);
        for (size_t i = b * PI_BLOCK_INPUTS; scale != 0.0f && i < (b + 1) * PI_BLOCK_INPUTS; i++) {
            code[i] = (uint8_t)pi_clamp(pi_nearest((x[i] + min) / scale), 0, PARAM_TOP);
        }
    }
}

static void quantize(PARAM_BLOCK *out, const float *x, const float *importance, size_t n) {
    for (size_t at = 0; at < n; at += PI_SUPER_INPUTS, out++) {
        *out = (PARAM_BLOCK){.d = PI_F16_NAN};
        if (!pi_all_finite(x + at, PI_SUPER_INPUTS)) {
            continue;
        }
        struct fits fits;
        uint8_t scale[8];
        uint8_t min[8];
        fit_blocks(x + at, importance != NULL ? importance + at : NULL, &fits);
        if (importance != NULL) {
            out->d = pi_f32_to_f16(pi_fit_positive(fits.scale, fits.weight, 8, 63, scale));
            out->dmin = pi_f32_to_f16(pi_fit_positive(fits.min, fits.weight, 8, 63, min));
        } else {
            out->d = pi_f32_to_f16(round_scales(fits.scale, scale));
            out->dmin = pi_f32_to_f16(round_scales(fits.min, min));
        }
        pi_set_scales_k4(out->scales, scale, min);
        round_codes(x + at, out, fits.code);
        PARAM_SET_CODES(out, fits.code);
    }
}

void PARAM_QUANTIZE(void *blocks, const float *x, size_t n) { quantize(blocks, x, NULL, n); }

void PARAM_QUANTIZE_WEIGHTED(void *blocks, const float *x, const float *importance, size_t n) {
    quantize(blocks, x, importance, n);
}

void PARAM_DEQUANTIZE(float *x, const void *blocks, size_t n) {
    const PARAM_BLOCK *in = blocks;
    for (size_t s = 0; s < n / PI_SUPER_INPUTS; s++, x += PI_SUPER_INPUTS) {
        uint8_t code[PI_SUPER_INPUTS];
        PARAM_GET_CODES(code, &in[s]);
        for (size_t b = 0; b < 8; b++) {
            const float scale = pi_f16_to_f32(in[s].d) * (float)pi_scale_k4(in[s].scales, b);
            const float min = pi_f16_to_f32(in[s].dmin) * (float)pi_min_k4(in[s].scales, b);
            for (size_t i = b * PI_BLOCK_INPUTS; i < (b + 1) * PI_BLOCK_INPUTS; i++) {
                x[i] = scale * (float)code[i] - min;
            }
        }
    }
}

#include "kernels/undef_params.h"
