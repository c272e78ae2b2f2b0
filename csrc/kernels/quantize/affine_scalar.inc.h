/* Template: f32 <-> file blocks of 32 with a scale and a minimum, the rounding of the gguf package's
 * reference bit for bit: d = (max - min) / TOP, q = trunc((x - min) * (1 / d) + 0.5), at most TOP. A
 * block with a NaN or Inf gets a NaN scale. With importances: ggml's affine fit. */
#include "kernels/util/fit.h"
#include "pyinfer/kernel_types.h"

#ifndef PARAM_QUANTIZE
#error "quantize/affine_scalar.inc.h needs PARAM_QUANTIZE"
#endif
#ifndef PARAM_QUANTIZE_WEIGHTED
#error "quantize/affine_scalar.inc.h needs PARAM_QUANTIZE_WEIGHTED"
#endif
#ifndef PARAM_DEQUANTIZE
#error "quantize/affine_scalar.inc.h needs PARAM_DEQUANTIZE"
#endif
#ifndef PARAM_BLOCK
#error "quantize/affine_scalar.inc.h needs PARAM_BLOCK"
#endif
#ifndef PARAM_TOP
#error "quantize/affine_scalar.inc.h needs PARAM_TOP"
#endif
#ifndef PARAM_GET_CODES
#error "quantize/affine_scalar.inc.h needs PARAM_GET_CODES"
#endif
#ifndef PARAM_SET_CODES
#error "quantize/affine_scalar.inc.h needs PARAM_SET_CODES"
#endif

pi_quantize_fn PARAM_QUANTIZE;
pi_quantize_weighted_fn PARAM_QUANTIZE_WEIGHTED;
pi_dequantize_fn PARAM_DEQUANTIZE;

void PARAM_QUANTIZE(void *blocks, const float *x, size_t n) {
    PARAM_BLOCK *out = blocks;
    for (size_t b = 0; b < n / PI_BLOCK_INPUTS; b++, x += PI_BLOCK_INPUTS) {
        out[b] = (PARAM_BLOCK){.d = PI_F16_NAN};
        if (!pi_all_finite(x, PI_BLOCK_INPUTS)) {
            continue;
        }
        float min = x[0];
        float max = x[0];
        for (size_t i = 1; i < PI_BLOCK_INPUTS; i++) {
            min = x[i] < min ? x[i] : min;
            max = x[i] > max ? x[i] : max;
        }
        const float d = (max - min) / (float)PARAM_TOP;
        const float inverse = d == 0.0f ? 0.0f : 1.0f / d;
        uint8_t code[PI_BLOCK_INPUTS];
        for (size_t i = 0; i < PI_BLOCK_INPUTS; i++) {
            const int32_t q = (int32_t)((x[i] - min) * inverse + 0.5f);
            code[i] = (uint8_t)(q > PARAM_TOP ? PARAM_TOP : q);
        }
        out[b].d = pi_f32_to_f16(d);
        out[b].m = pi_f32_to_f16(min);
        PARAM_SET_CODES(&out[b], code);
    }
}

void PARAM_QUANTIZE_WEIGHTED(void *blocks, const float *x, const float *importance, size_t n) {
    PARAM_BLOCK *out = blocks;
    const float variance = pi_squares(x, n) / (float)n;
    for (size_t at = 0; at < n; at += PI_BLOCK_INPUTS, out++) {
        *out = (PARAM_BLOCK){.d = PI_F16_NAN};
        if (!pi_all_finite(x + at, PI_BLOCK_INPUTS)) {
            continue;
        }
        float w[PI_BLOCK_INPUTS];
        float minus_min;
        uint8_t code[PI_BLOCK_INPUTS];
        pi_fit_weights(x + at, importance + at, PI_BLOCK_INPUTS, variance, w);
        out->d = pi_f32_to_f16(pi_fit_affine(x + at, w, PI_BLOCK_INPUTS, PARAM_TOP, PI_FIT_WEIGHTED,
                                             code, &minus_min));
        out->m = pi_f32_to_f16(-minus_min);
        PARAM_SET_CODES(out, code);
    }
}

void PARAM_DEQUANTIZE(float *x, const void *blocks, size_t n) {
    const PARAM_BLOCK *in = blocks;
    for (size_t b = 0; b < n / PI_BLOCK_INPUTS; b++, x += PI_BLOCK_INPUTS) {
        const float d = pi_f16_to_f32(in[b].d);
        const float m = pi_f16_to_f32(in[b].m);
        uint8_t code[PI_BLOCK_INPUTS];
        PARAM_GET_CODES(code, &in[b]);
        for (size_t i = 0; i < PI_BLOCK_INPUTS; i++) {
            x[i] = d * (float)code[i] + m;
        }
    }
}

#include "kernels/undef_params.h"
