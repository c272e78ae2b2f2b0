/* bf16 GEMM, Armv8.0. */
#include "kernels/formats/bf16/neon.h"

#define PARAM_KERNEL pi_gemm_bf16_neon
#include "kernels/gemm/float_neon.inc.h"
