/* f16 GEMV, Armv8.0. */
#include "kernels/formats/f16/neon.h"

#define PARAM_KERNEL pi_gemv_f16_neon
#include "kernels/gemv/float_neon.inc.h"
