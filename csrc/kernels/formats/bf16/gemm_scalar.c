/* bf16 GEMM, scalar: the specification. */
#include "kernels/formats/bf16/scalar.h"

#define PARAM_KERNEL pi_gemm_bf16_scalar
#include "kernels/gemm/float_scalar.inc.h"
