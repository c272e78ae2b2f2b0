/* The one definition of exp and silu: the vector versions in x86_math256.h and x86_math512.h
 * perform the same operations in the same order.
 *
 * exp(x) = 2^n * p(r), n = rint(x / ln 2), r = x - n ln 2 in two fma steps, p of degree 6 (fitted
 * at Chebyshev nodes). x is clamped to [-87.25, 88.25], so 2^n is a normal number; NaN passes. Error
 * below 2 ulp. */
#ifndef PYINFER_KERNELS_UTIL_EXP_H
#define PYINFER_KERNELS_UTIL_EXP_H

#include "kernels/util/f16.h"
#include <math.h>

#define PI_EXP_MIN (-87.25f)
#define PI_EXP_MAX 88.25f
#define PI_LOG2E 0x1.715476p+0f
#define PI_LN2_HIGH 0x1.63p-1f
#define PI_LN2_LOW (-0x1.bd0106p-13f)
#define PI_EXP_C2 0x1.0p-1f
#define PI_EXP_C3 0x1.5554dcp-3f
#define PI_EXP_C4 0x1.5554e8p-5f
#define PI_EXP_C5 0x1.120ba6p-7f
#define PI_EXP_C6 0x1.6d4366p-10f

PI_INLINE float pi_expf(float x) {
    x = PI_EXP_MIN > x ? PI_EXP_MIN : x; /* comparisons are false for NaN */
    x = PI_EXP_MAX < x ? PI_EXP_MAX : x;
    const float n = rintf(x * PI_LOG2E);
    float r = fmaf(n, -PI_LN2_HIGH, x);
    r = fmaf(n, -PI_LN2_LOW, r);
    float p = PI_EXP_C6;
    p = fmaf(p, r, PI_EXP_C5);
    p = fmaf(p, r, PI_EXP_C4);
    p = fmaf(p, r, PI_EXP_C3);
    p = fmaf(p, r, PI_EXP_C2);
    p = fmaf(p, r, 1.0f);
    p = fmaf(p, r, 1.0f);
    if (!(n == n)) {
        return n; /* the conversion of NaN to an integer is undefined */
    }
    return p * pi_bits_to_f32((uint32_t)((int32_t)n + 127) << 23);
}

PI_INLINE float pi_siluf(float x) { return x / (1.0f + pi_expf(-x)); }

#endif
