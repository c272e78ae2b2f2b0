/* q2_k GEMV, scalar: the specification. */
#include "kernels/formats/q2_k/scalar.h"

#define PARAM_KERNEL pi_gemv_q2_k_scalar
#include "kernels/gemv/quant_scalar.inc.h"
