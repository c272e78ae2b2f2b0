/* Rotary position embedding, NEOX pairing (Su et al. 2021), scalar: the specification. */
#include "pyinfer/kernel_types.h"
#include <math.h>

pi_rope_fn pi_rope_f32_scalar;

void pi_rope_f32_scalar(float *x, const float *cos, const float *sin, size_t half, float scale) {
    for (size_t i = 0; i < half; i++) {
        const float a = x[i];
        const float b = x[half + i];
        x[i] = fmaf(a, cos[i], -(b * sin[i])) * scale;
        x[half + i] = fmaf(b, cos[i], a * sin[i]) * scale;
    }
}
