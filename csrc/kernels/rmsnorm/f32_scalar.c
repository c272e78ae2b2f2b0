/* RMSNorm (Zhang and Sennrich 2019), scalar: the specification.
 * The square sum runs in 16 lanes (lane i takes inputs i, i + 16, ...), then the fixed tree. */
#include "kernels/util/lanes16.h"
#include "pyinfer/kernel_types.h"
#include <math.h>

pi_rmsnorm_fn pi_rmsnorm_f32_scalar;

void pi_rmsnorm_f32_scalar(float *y, const float *x, const float *w, size_t n, size_t n_padded,
                           float eps) {
    float lane[16] = {0};
    for (size_t i = 0; i < n_padded; i++) {
        lane[i % 16] = fmaf(x[i], x[i], lane[i % 16]);
    }
    const float mean = pi_lanes16_sum(lane) / (float)n;
    const float inverse = 1.0f / sqrtf(mean + eps);
    for (size_t i = 0; i < n_padded; i++) {
        y[i] = x[i] * inverse * w[i];
    }
}
