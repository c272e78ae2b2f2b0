/* bf16 GEMV, Armv8.0. */
#include "kernels/formats/bf16/neon.h"

#define PARAM_KERNEL pi_gemv_bf16_neon
#include "kernels/gemv/float_neon.inc.h"
