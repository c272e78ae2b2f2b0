/* bf16 GEMV, scalar: the specification. */
#include "kernels/util/row_dot_bf16.h"

#define NAME pi_gemv_bf16_scalar
#include "kernels/gemv/float_scalar.inc.h"
