/* q5_1 GEMM, scalar: the specification. */
#include "kernels/formats/q5_1/scalar.h"

#define PARAM_KERNEL pi_gemm_q5_1_scalar
#include "kernels/gemm/quant_scalar.inc.h"
