/* q2_k GEMM, scalar: the specification. */
#include "kernels/formats/q2_k/scalar.h"

#define PARAM_KERNEL pi_gemm_q2_k_scalar
#include "kernels/gemm/quant_scalar.inc.h"
