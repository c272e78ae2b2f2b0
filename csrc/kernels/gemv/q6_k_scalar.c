/* q6_k GEMV, scalar: the specification. */
#include "kernels/util/row_dot_q6_k.h"

#define NAME pi_gemv_q6_k_scalar
#include "kernels/gemv/quant_scalar.inc.h"
