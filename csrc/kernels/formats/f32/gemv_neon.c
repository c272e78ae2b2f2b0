/* f32 GEMV, Armv8.0. */
#include "kernels/formats/f32/neon.h"

#define PARAM_KERNEL pi_gemv_f32_neon
#include "kernels/gemv/float_neon.inc.h"
