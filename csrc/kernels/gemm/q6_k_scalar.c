/* q6_k GEMM, scalar: the specification. */
#include "kernels/util/row_dot_q6_k.h"

#define NAME pi_gemm_q6_k_scalar
#include "kernels/gemm/quant_scalar.inc.h"
