/* q4_0 GEMM, scalar: the specification. */
#include "kernels/formats/q4_0/scalar.h"

#define PARAM_KERNEL pi_gemm_q4_0_scalar
#include "kernels/gemm/quant_scalar.inc.h"
