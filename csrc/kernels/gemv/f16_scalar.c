/* f16 GEMV, scalar: the specification. */
#include "kernels/util/row_dot_f16.h"

#define NAME pi_gemv_f16_scalar
#include "kernels/gemv/float_scalar.inc.h"
