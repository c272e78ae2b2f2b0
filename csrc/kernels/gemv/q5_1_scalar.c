/* q5_1 GEMV, scalar: the specification. */
#include "kernels/util/row_dot_q5_1.h"

#define NAME pi_gemv_q5_1_scalar
#include "kernels/gemv/quant_scalar.inc.h"
