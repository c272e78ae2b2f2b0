/* f32 GEMV, scalar: the specification. */
#include "kernels/formats/f32/scalar.h"

#define PARAM_KERNEL pi_gemv_f32_scalar
#include "kernels/gemv/float_scalar.inc.h"
