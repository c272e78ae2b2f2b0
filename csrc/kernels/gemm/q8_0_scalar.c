/* q8_0 GEMM, scalar: the specification. */
#include "kernels/util/row_dot_q8_0.h"

#define NAME pi_gemm_q8_0_scalar
#include "kernels/gemm/quant_scalar.inc.h"
