/* SwiGLU (Shazeer 2020), scalar: the specification. */
#include "kernels/util/exp.h"
#include "pyinfer/kernel_types.h"

pi_swiglu_fn pi_swiglu_f32_scalar;

void pi_swiglu_f32_scalar(float *h, const float *gate, const float *up, size_t n) {
    for (size_t i = 0; i < n; i++) {
        h[i] = pi_siluf(gate[i]) * up[i];
    }
}
