/* f32 GEMV, scalar: the specification. */
#include "kernels/util/row_dot_f32.h"

#define NAME pi_gemv_f32_scalar
#include "kernels/gemv/float_scalar.inc.h"
