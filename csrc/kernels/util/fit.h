/* Least-squares fits of integer codes to a block of weights: the searches of ggml's reference
 * quantizers, float step by float step, so that files come out alike. Error of a code q for the
 * weight x of importance w: w * (scale * q + offset - x)^2. */
#ifndef PYINFER_KERNELS_UTIL_FIT_H
#define PYINFER_KERNELS_UTIL_FIT_H

#include "kernels/util/f16.h"
#include <math.h>
#include <string.h>

#define PI_FIT_MAX 32      /* values of a fit */
#define PI_FIT_ZERO 1e-15f /* magnitudes below count as zero */

/* Nearest integer, ties to even, of |x| < 2^22: the sum has a unit in the last place of one. */
PI_INLINE int32_t pi_nearest(float x) {
    return (int32_t)(pi_f32_to_bits(x + 12582912.0f) & 0x7fffffu) - 0x400000;
}
PI_INLINE int32_t pi_clamp(int32_t x, int32_t low, int32_t high) {
    return x < low ? low : x > high ? high : x;
}
/* The value of largest magnitude, the first one on a tie. */
PI_INLINE float pi_largest(const float *x, size_t n) {
    float largest = 0.0f;
    for (size_t i = 0; i < n; i++) {
        largest = fabsf(x[i]) > fabsf(largest) ? x[i] : largest;
    }
    return largest;
}

/* Moments of codes: sum(w x q) and sum(w q^2); the best scale for them is xq / qq, and
 * xq^2 / qq what it takes away from the error. */
struct pi_moments {
    float xq, qq;
};
PI_INLINE void pi_moments_add(struct pi_moments *m, float w, float x, int32_t q) {
    m->xq += w * x * (float)q;
    m->qq += w * (float)q * (float)q;
}

/* Whether all values count as zero; then all codes are -bound, as ggml leaves them. */
PI_INLINE bool pi_fit_nothing(float largest, size_t n, int32_t bound, int8_t *code) {
    if (fabsf(largest) >= PI_FIT_ZERO) {
        return false;
    }
    memset(code, (int8_t)-bound, n);
    return true;
}

/* x = scale * code, codes -bound..bound-1. Returns the scale. */
PI_INLINE float pi_fit_symmetric(const float *x, const float *w, size_t n, int32_t bound,
                                 int8_t *code) {
    const float largest = pi_largest(x, n);
    if (pi_fit_nothing(largest, n, bound, code)) {
        return 0.0f;
    }
    float scale = 0.0f;
    float best = 0.0f;
    for (int32_t try = 0; try <= 18; try++) { /* the plain scale first, then from -0.9 to +0.9 */
        const int32_t step = try == 0 ? 0 : try <= 9 ? try - 10 : try - 9;
        const float top = step == 0 ? (float)bound : (float)bound + 0.1f * (float)step;
        const float inverse = -top / largest;
        struct pi_moments m = {0};
        int8_t q[PI_FIT_MAX];
        for (size_t i = 0; i < n; i++) {
            q[i] = (int8_t)pi_clamp(pi_nearest(inverse * x[i]), -bound, bound - 1);
            pi_moments_add(&m, w[i], x[i], q[i]);
        }
        if (try == 0 || (m.qq > 0.0f && m.xq * m.xq > best * m.qq)) {
            memcpy(code, q, n);
            scale = m.qq != 0.0f ? m.xq / m.qq : 0.0f;
            best = scale * m.xq;
        }
    }
    return scale;
}

/* x = scale * code, codes -bound..bound-1: from the plain scale on each code moves where it lowers
 * the error most, until none does or five rounds have passed. */
PI_INLINE float pi_fit_rounds(const float *x, const float *w, size_t n, int32_t bound,
                              int8_t *code) {
    const float largest = pi_largest(x, n);
    if (pi_fit_nothing(largest, n, bound, code)) {
        return 0.0f;
    }
    const float inverse = (float)-bound / largest;
    struct pi_moments m = {0};
    for (size_t i = 0; i < n; i++) {
        code[i] = (int8_t)pi_clamp(pi_nearest(inverse * x[i]), -bound, bound - 1);
        pi_moments_add(&m, w[i], x[i], code[i]);
    }
    bool changed = true;
    for (size_t round = 0; changed && round < 5; round++) {
        changed = false;
        for (size_t i = 0; i < n; i++) {
            struct pi_moments rest = {m.xq - w[i] * x[i] * (float)code[i],
                                      m.qq - w[i] * (float)code[i] * (float)code[i]};
            if (!(rest.xq > 0.0f)) {
                continue;
            }
            const int32_t q = pi_clamp(pi_nearest(x[i] * rest.qq / rest.xq), -bound, bound - 1);
            if (q == code[i]) {
                continue;
            }
            pi_moments_add(&rest, w[i], x[i], q);
            if (rest.qq > 0.0f && rest.xq * rest.xq * m.qq > m.xq * m.xq * rest.qq) {
                code[i] = (int8_t)q;
                m = rest;
                changed = true;
            }
        }
    }
    return m.qq > 0.0f ? m.xq / m.qq : 0.0f;
}

/* x = scale * code, codes 0..top, for x >= 0 (scales of parts): the best of nine scales near the plain
 * one, then rounds as above. */
PI_INLINE float pi_fit_positive(const float *x, const float *w, size_t n, int32_t top,
                                uint8_t *code) {
    float max = 0.0f;
    for (size_t i = 0; i < n; i++) {
        max = x[i] > max ? x[i] : max;
    }
    memset(code, 0, n);
    if (max < PI_FIT_ZERO) {
        return 0.0f;
    }
    float inverse = (float)top / max;
    float best = 0.0f;
    for (int32_t try = 0; try <= 8; try++) { /* the plain scale first, then from -0.4 to +0.4 */
        const int32_t step = try == 0 ? 0 : try <= 4 ? try - 5 : try - 4;
        const float this_inverse = (step == 0 ? (float)top : 0.1f * (float)step + (float)top) / max;
        const float scale = 1.0f / this_inverse;
        float error = 0.0f;
        for (size_t i = 0; i < n; i++) {
            const int32_t q = pi_nearest(this_inverse * x[i]);
            const float difference = x[i] - scale * (float)(try > 0 && q > top ? top : q);
            error += w[i] * difference * difference;
        }
        if (try == 0 || error < best) {
            best = error;
            inverse = this_inverse;
        }
    }
    struct pi_moments m = {0};
    for (size_t i = 0; i < n; i++) {
        const int32_t q = pi_nearest(inverse * x[i]);
        code[i] = (uint8_t)(q > top ? top : q);
        pi_moments_add(&m, w[i], x[i], code[i]);
    }
    bool changed = true;
    for (size_t round = 0; changed && round < 5; round++) {
        changed = false;
        for (size_t i = 0; i < n; i++) {
            struct pi_moments rest = {m.xq - w[i] * x[i] * (float)code[i],
                                      m.qq - w[i] * (float)code[i] * (float)code[i]};
            if (!(rest.xq > 0.0f && rest.qq > 0.0f)) {
                continue;
            }
            const int32_t nearest = pi_nearest(x[i] * rest.qq / rest.xq);
            const int32_t q = nearest > top ? top : nearest;
            if (q == code[i]) {
                continue;
            }
            pi_moments_add(&rest, w[i], x[i], q);
            if (rest.xq * rest.xq * m.qq > m.xq * m.xq * rest.qq) {
                code[i] = (uint8_t)q;
                m = rest;
                changed = true;
            }
        }
    }
    return m.qq > 0.0f ? m.xq / m.qq : 0.0f;
}

/* Sum of squares, in ascending order. */
PI_INLINE float pi_squares(const float *x, size_t n) {
    float squares = 0.0f;
    for (size_t i = 0; i < n; i++) {
        squares += x[i] * x[i];
    }
    return squares;
}

/* Weights of a fit: the importance of the input times the magnitude of the value, floored by
 * `variance`; returns their sum. */
PI_INLINE float pi_fit_weights(const float *x, const float *importance, size_t n, float variance,
                               float *w) {
    float sum = 0.0f;
    for (size_t i = 0; i < n; i++) {
        w[i] = importance[i] * sqrtf(variance + x[i] * x[i]);
        sum += w[i];
    }
    return sum;
}

/* One block under importances: codes 0..2 * bound - 1, of which `bound` stands for zero. Returns the
 * scale. */
PI_INLINE float pi_fit_block(const float *x, const float *importance, float variance, int32_t bound,
                             uint8_t *stored) {
    float w[PI_BLOCK_INPUTS];
    int8_t code[PI_BLOCK_INPUTS];
    pi_fit_weights(x, importance, PI_BLOCK_INPUTS, variance, w);
    const float scale = pi_fit_symmetric(x, w, PI_BLOCK_INPUTS, bound, code);
    for (size_t i = 0; i < PI_BLOCK_INPUTS; i++) {
        stored[i] = (uint8_t)(code[i] + bound);
    }
    return scale;
}

/* Grid of a search: scales from 1 / (top + first) on, `count` steps further. */
struct pi_fit_grid {
    float first, step;
    int32_t count;
    bool absolute; /* the error is w * |difference| */
};

/* The search of all affine fits with importances. */
#define PI_FIT_WEIGHTED ((struct pi_fit_grid){-0.9f, 0.05f, 36, false})

PI_INLINE float pi_fit_error(const float *x, const float *w, size_t n, const uint8_t *q,
                             float scale, float min, bool absolute) {
    float error = 0.0f;
    for (size_t i = 0; i < n; i++) {
        const float difference = scale * (float)q[i] + min - x[i];
        error += w[i] * (absolute ? fabsf(difference) : difference * difference);
    }
    return error;
}

PI_INLINE void pi_fit_codes(const float *x, size_t n, int32_t top, float inverse, float min,
                            uint8_t *q) {
    for (size_t i = 0; i < n; i++) {
        const float v = inverse * (x[i] - min);
        const int32_t code = v > 0.0f ? pi_nearest(v < (float)top ? v : (float)top) : 0;
        q[i] = (uint8_t)code;
    }
}

/* x = scale * code - *minus_min, codes 0..top, *minus_min >= 0. Returns the scale. */
PI_INLINE float pi_fit_affine(const float *x, const float *w, size_t n, int32_t top,
                              struct pi_fit_grid grid, uint8_t *code, float *minus_min) {
    float min = x[0];
    float max = x[0];
    float sum_w = w[0];
    float sum_x = sum_w * x[0];
    for (size_t i = 1; i < n; i++) {
        min = x[i] < min ? x[i] : min;
        max = x[i] > max ? x[i] : max;
        sum_w += w[i];
        sum_x += w[i] * x[i];
    }
    min = min > 0.0f ? 0.0f : min;
    *minus_min = -min;
    if (max <= min) {
        memset(code, 0, n);
        return 0.0f;
    }
    const float plain = (float)top / (max - min);
    float scale = 1.0f / plain;
    pi_fit_codes(x, n, top, plain, min, code);
    float best = pi_fit_error(x, w, n, code, scale, min, grid.absolute);
    for (int32_t step = 0; step <= grid.count; step++) {
        const float inverse = (grid.first + grid.step * (float)step + (float)top) / (max - min);
        uint8_t q[PI_FIT_MAX];
        pi_fit_codes(x, n, top, inverse, min, q);
        float sum_q = 0.0f;
        float sum_qq = 0.0f;
        float sum_xq = 0.0f;
        for (size_t i = 0; i < n; i++) {
            const float wq = w[i] * (float)q[i];
            sum_q += wq;
            sum_qq += wq * (float)q[i];
            sum_xq += wq * x[i];
        }
        const float determinant = sum_w * sum_qq - sum_q * sum_q;
        if (!(determinant > 0.0f)) {
            continue;
        }
        float this_scale = (sum_w * sum_xq - sum_x * sum_q) / determinant;
        float this_min = (sum_qq * sum_x - sum_q * sum_xq) / determinant;
        if (this_min > 0.0f) {
            this_min = 0.0f;
            this_scale = sum_xq / sum_qq;
        }
        const float error = pi_fit_error(x, w, n, q, this_scale, this_min, grid.absolute);
        if (error < best) {
            memcpy(code, q, n);
            best = error;
            scale = this_scale;
            min = this_min;
        }
    }
    *minus_min = -min;
    return scale;
}

#endif
