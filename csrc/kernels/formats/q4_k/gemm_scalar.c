/* q4_k GEMM, scalar: the specification. */
#include "kernels/formats/q4_k/scalar.h"

#define PARAM_KERNEL pi_gemm_q4_k_scalar
#include "kernels/gemm/quant_scalar.inc.h"
