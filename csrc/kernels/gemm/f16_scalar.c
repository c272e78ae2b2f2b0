/* f16 GEMM, scalar: the specification. */
#include "kernels/util/row_dot_f16.h"

#define NAME pi_gemm_f16_scalar
#include "kernels/gemm/float_scalar.inc.h"
