/* sin and cos in double: Cody-Waite reduction by pi/2 in three parts, then Taylor polynomials on
 * [-pi/4, pi/4]. Absolute error below 1e-15 for angles up to 2^20, far under the f32 rounding of the
 * table. The library's own sin and cos differ between versions and CPUs in the last bit. */
#include "ops/rotation.h"
#include <math.h>

/* pi/2 = A + B + C; A and B have 33 significant bits, so n * A and n * B are exact for n < 2^20. */
#define HALF_PI_A 0x1.921fb544p+0
#define HALF_PI_B 0x1.0b4611a6p-34
#define HALF_PI_C 0x1.3198a2e037073p-69

static double sin_small(double x) {
    static const double c[] = {
        -1.0 / 6,        1.0 / 120,          -1.0 / 5040,           1.0 / 362880,
        -1.0 / 39916800, 1.0 / 6227020800.0, -1.0 / 1307674368000.0};
    const double z = x * x;
    double p = c[6];
    for (int i = 5; i >= 0; i--) {
        p = p * z + c[i];
    }
    return x + x * z * p;
}

static double cos_small(double x) {
    static const double c[] = {-1.0 / 2,       1.0 / 24,          -1.0 / 720,          1.0 / 40320,
                               -1.0 / 3628800, 1.0 / 479001600.0, -1.0 / 87178291200.0};
    const double z = x * x;
    double p = c[6];
    for (int i = 5; i >= 0; i--) {
        p = p * z + c[i];
    }
    return 1.0 + z * p;
}

static void sin_cos(double x, double *sin_out, double *cos_out) {
    const double n = rint(x * 0.63661977236758134);
    const double r = ((x - n * HALF_PI_A) - n * HALF_PI_B) - n * HALF_PI_C;
    const double s = sin_small(r);
    const double c = cos_small(r);
    switch ((int64_t)n & 3) {
    case 0:
        *sin_out = s;
        *cos_out = c;
        break;
    case 1:
        *sin_out = c;
        *cos_out = -s;
        break;
    case 2:
        *sin_out = -s;
        *cos_out = -c;
        break;
    default:
        *sin_out = -c;
        *cos_out = s;
        break;
    }
}

void pi_rotation_row(const struct pi_rope *rope, int32_t position, size_t row) {
    float *cos_row = rope->cos + row * rope->half;
    float *sin_row = rope->sin + row * rope->half;
    for (size_t i = 0; i < rope->half; i++) {
        double s;
        double c;
        sin_cos((double)position * rope->inverse_frequency[i], &s, &c);
        cos_row[i] = (float)(c * rope->attention_factor);
        sin_row[i] = (float)(s * rope->attention_factor);
    }
}
