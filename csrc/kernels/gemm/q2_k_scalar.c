/* q2_k GEMM, scalar: the specification. */
#include "kernels/util/row_dot_q2_k.h"

#define NAME pi_gemm_q2_k_scalar
#include "kernels/gemm/quant_scalar.inc.h"
