/* f16 GEMV, scalar: the specification. */
#include "kernels/formats/f16/scalar.h"

#define PARAM_KERNEL pi_gemv_f16_scalar
#include "kernels/gemv/float_scalar.inc.h"
