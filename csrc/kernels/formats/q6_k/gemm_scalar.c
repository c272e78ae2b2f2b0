/* q6_k GEMM, scalar: the specification. */
#include "kernels/formats/q6_k/scalar.h"

#define PARAM_KERNEL pi_gemm_q6_k_scalar
#include "kernels/gemm/quant_scalar.inc.h"
