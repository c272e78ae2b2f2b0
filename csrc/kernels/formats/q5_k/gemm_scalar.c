/* q5_k GEMM, scalar: the specification. */
#include "kernels/formats/q5_k/scalar.h"

#define PARAM_KERNEL pi_gemm_q5_k_scalar
#include "kernels/gemm/quant_scalar.inc.h"
