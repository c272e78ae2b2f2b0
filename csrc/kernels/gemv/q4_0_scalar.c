/* q4_0 GEMV, scalar: the specification. */
#include "kernels/util/row_dot_q4_0.h"

#define NAME pi_gemv_q4_0_scalar
#include "kernels/gemv/quant_scalar.inc.h"
