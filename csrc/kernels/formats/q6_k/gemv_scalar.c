/* q6_k GEMV, scalar: the specification. */
#include "kernels/formats/q6_k/scalar.h"

#define PARAM_KERNEL pi_gemv_q6_k_scalar
#include "kernels/gemv/quant_scalar.inc.h"
