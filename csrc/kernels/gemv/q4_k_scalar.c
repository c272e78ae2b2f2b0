/* q4_k GEMV, scalar: the specification. */
#include "kernels/util/row_dot_q4_k.h"

#define NAME pi_gemv_q4_k_scalar
#include "kernels/gemv/quant_scalar.inc.h"
