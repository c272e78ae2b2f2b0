/* f32 GEMM, scalar: the specification. */
#include "kernels/util/row_dot_f32.h"

#define NAME pi_gemm_f32_scalar
#include "kernels/gemm/float_scalar.inc.h"
