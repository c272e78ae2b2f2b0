/* bf16 GEMV, scalar: the specification. */
#include "kernels/formats/bf16/scalar.h"

#define PARAM_KERNEL pi_gemv_bf16_scalar
#include "kernels/gemv/float_scalar.inc.h"
