/* f16 GEMM, Armv8.0. */
#include "kernels/formats/f16/neon.h"

#define PARAM_KERNEL pi_gemm_f16_neon
#include "kernels/gemm/float_neon.inc.h"
