/* f16 GEMM, scalar: the specification. */
#include "kernels/formats/f16/scalar.h"

#define PARAM_KERNEL pi_gemm_f16_scalar
#include "kernels/gemm/float_scalar.inc.h"
