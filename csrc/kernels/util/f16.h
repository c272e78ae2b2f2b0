/* Conversions between f16, bf16 and f32 in integer arithmetic; equal to the F16C instructions for
 * every number. Independent of the floating-point mode (denormal halves stay exact). */
#ifndef PYINFER_KERNELS_UTIL_F16_H
#define PYINFER_KERNELS_UTIL_F16_H

#include "pyinfer/types.h"
#include <string.h>

PI_INLINE float pi_bits_to_f32(uint32_t bits) {
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

PI_INLINE uint32_t pi_f32_to_bits(float f) {
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return bits;
}

PI_INLINE float pi_f16_to_f32(uint16_t h) {
    const uint32_t sign = (uint32_t)(h & 0x8000u) << 16;
    uint32_t exponent = (h >> 10) & 0x1fu;
    uint32_t mantissa = h & 0x3ffu;
    if (exponent == 0x1f) { /* Inf, NaN: quiet as the hardware does */
        return pi_bits_to_f32(sign | 0x7f800000u | (mantissa << 13) | (mantissa ? 0x400000u : 0));
    }
    if (exponent == 0) {
        if (mantissa == 0) {
            return pi_bits_to_f32(sign);
        }
        exponent = 1;
        while (!(mantissa & 0x400u)) { /* normalise: at most ten steps */
            mantissa <<= 1;
            exponent--;
        }
        mantissa &= 0x3ffu;
    }
    return pi_bits_to_f32(sign | ((exponent + 112u) << 23) | (mantissa << 13));
}

/* Round to nearest even; overflow becomes Inf. */
PI_INLINE uint16_t pi_f32_to_f16(float f) {
    const uint32_t bits = pi_f32_to_bits(f);
    const uint32_t sign = (bits >> 16) & 0x8000u;
    const uint32_t magnitude = bits & 0x7fffffffu;
    if (magnitude > 0x7f800000u) {
        return (uint16_t)(sign | 0x7e00u | ((magnitude >> 13) & 0x3ffu));
    }
    if (magnitude >= 0x477ff000u) { /* 65520 and above round to Inf */
        return (uint16_t)(sign | 0x7c00u);
    }
    if (magnitude >= 0x38800000u) { /* normal half */
        const uint32_t rounded = magnitude + 0xfffu + ((magnitude >> 13) & 1u);
        return (uint16_t)(sign | ((rounded - 0x38000000u) >> 13));
    }
    if (magnitude < 0x33000000u) { /* at most 2^-25: zero */
        return (uint16_t)sign;
    }
    const uint32_t shift = 126u - (magnitude >> 23); /* 14..24 */
    const uint32_t mantissa = (magnitude & 0x7fffffu) | 0x800000u;
    const uint32_t half = 1u << (shift - 1u);
    const uint32_t odd = (mantissa >> shift) & 1u;
    return (uint16_t)(sign | ((mantissa + half - 1u + odd) >> shift));
}

/* f16 bits as f32 bits and back, without the quieting of NaNs: narrow(widen(h)) = h for every h. */
PI_INLINE uint32_t pi_widen_f16(uint16_t h) {
    if ((h & 0x7c00u) == 0x7c00u) {
        return (uint32_t)(h & 0x8000u) << 16 | 0x7f800000u | (uint32_t)(h & 0x3ffu) << 13;
    }
    return pi_f32_to_bits(pi_f16_to_f32(h));
}
PI_INLINE uint16_t pi_narrow_f16(uint32_t bits) {
    if ((bits & 0x7f800000u) == 0x7f800000u) {
        return (uint16_t)((bits >> 16 & 0x8000u) | 0x7c00u | (bits >> 13 & 0x3ffu));
    }
    return pi_f32_to_f16(pi_bits_to_f32(bits));
}

#define PI_F16_NAN 0x7e00u

PI_INLINE bool pi_all_finite(const float *x, size_t n) {
    uint32_t largest = 0;
    for (size_t i = 0; i < n; i++) {
        const uint32_t magnitude = pi_f32_to_bits(x[i]) & 0x7fffffffu;
        largest = magnitude > largest ? magnitude : largest;
    }
    return largest < 0x7f800000u;
}

PI_INLINE float pi_bf16_to_f32(uint16_t h) { return pi_bits_to_f32((uint32_t)h << 16); }

/* Round to nearest even; NaN stays NaN. */
PI_INLINE uint16_t pi_f32_to_bf16(float f) {
    const uint32_t bits = pi_f32_to_bits(f);
    if ((bits & 0x7fffffffu) > 0x7f800000u) {
        return (uint16_t)((bits >> 16) | 0x40u);
    }
    return (uint16_t)((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

#endif
