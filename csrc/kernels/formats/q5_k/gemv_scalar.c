/* q5_k GEMV, scalar: the specification. */
#include "kernels/formats/q5_k/scalar.h"

#define PARAM_KERNEL pi_gemv_q5_k_scalar
#include "kernels/gemv/quant_scalar.inc.h"
