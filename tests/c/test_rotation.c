/* The rotation table against long double sin and cos, up to position 2^20. */
#include "ops/rotation.h"
#include <math.h>
#include <stdio.h>

#define HALF 64
/* Half a unit in the last place of an f32 below 1, and some room for the error before rounding. */
#define TOLERANCE 0x1.01p-25L

static bool check_row(double base, double factor, int32_t position) {
    double frequency[HALF];
    float cosine[HALF];
    float sine[HALF];
    for (size_t i = 0; i < HALF; i++) {
        frequency[i] = pow(base, -(double)i / HALF);
    }
    const struct pi_rope rope = {frequency, factor, HALF, cosine, sine};
    pi_rotation_row(&rope, position, 0);
    for (size_t i = 0; i < HALF; i++) {
        const long double angle = (long double)((double)position * frequency[i]);
        const long double error_sin = fabsl(sine[i] - sinl(angle) * factor);
        const long double error_cos = fabsl(cosine[i] - cosl(angle) * factor);
        const long double limit = TOLERANCE * (factor > 1 ? 2 : 1);
        if (error_sin > limit || error_cos > limit) {
            fprintf(stderr, "position %d, pair %zu of base %g: errors %Lg and %Lg\n", position, i,
                    base, error_sin, error_cos);
            return false;
        }
    }
    return true;
}

int main(void) {
    static const double bases[] = {1e4, 1e6, 5e8};
    bool good = true;
    for (size_t b = 0; b < 3; b++) {
        for (int32_t position = 0; position < 1 << 20; position += 1 + position / 64) {
            good &= check_row(bases[b], 1.0, position);
            good &= check_row(bases[b], 1.3, position);
        }
        good &= check_row(bases[b], 1.0, (1 << 20) - 1);
    }
    return !good;
}
