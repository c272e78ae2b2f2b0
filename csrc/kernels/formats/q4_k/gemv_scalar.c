/* q4_k GEMV, scalar: the specification. */
#include "kernels/formats/q4_k/scalar.h"

#define PARAM_KERNEL pi_gemv_q4_k_scalar
#include "kernels/gemv/quant_scalar.inc.h"
