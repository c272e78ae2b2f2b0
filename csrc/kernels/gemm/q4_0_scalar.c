/* q4_0 GEMM, scalar: the specification. */
#include "kernels/util/row_dot_q4_0.h"

#define NAME pi_gemm_q4_0_scalar
#include "kernels/gemm/quant_scalar.inc.h"
