/* q8_0 GEMV, scalar: the specification. */
#include "kernels/formats/q8_0/scalar.h"

#define PARAM_KERNEL pi_gemv_q8_0_scalar
#include "kernels/gemv/quant_scalar.inc.h"
