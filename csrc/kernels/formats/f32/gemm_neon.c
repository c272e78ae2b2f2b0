/* f32 GEMM, Armv8.0. */
#include "kernels/formats/f32/neon.h"

#define PARAM_KERNEL pi_gemm_f32_neon
#include "kernels/gemm/float_neon.inc.h"
