/* bf16 GEMM, scalar: the specification. */
#include "kernels/util/row_dot_bf16.h"

#define NAME pi_gemm_bf16_scalar
#include "kernels/gemm/float_scalar.inc.h"
