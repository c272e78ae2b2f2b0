/* f32 GEMM, scalar: the specification. */
#include "kernels/formats/f32/scalar.h"

#define PARAM_KERNEL pi_gemm_f32_scalar
#include "kernels/gemm/float_scalar.inc.h"
