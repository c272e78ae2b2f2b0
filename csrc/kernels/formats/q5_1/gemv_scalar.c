/* q5_1 GEMV, scalar: the specification. */
#include "kernels/formats/q5_1/scalar.h"

#define PARAM_KERNEL pi_gemv_q5_1_scalar
#include "kernels/gemv/quant_scalar.inc.h"
