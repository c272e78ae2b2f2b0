/* q8_0 GEMV, scalar: the specification. */
#include "kernels/util/row_dot_q8_0.h"

#define NAME pi_gemv_q8_0_scalar
#include "kernels/gemv/quant_scalar.inc.h"
