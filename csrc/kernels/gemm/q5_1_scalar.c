/* q5_1 GEMM, scalar: the specification. */
#include "kernels/util/row_dot_q5_1.h"

#define NAME pi_gemm_q5_1_scalar
#include "kernels/gemm/quant_scalar.inc.h"
