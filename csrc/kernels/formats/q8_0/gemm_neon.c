/* q8_0 GEMM, Armv8.0. */
#include "kernels/formats/q8_0/neon.h"
#include "kernels/util/arm_sums32.h"

#define PARAM_KERNEL pi_gemm_q8_0_neon
#define PARAM_SUMS pi_sums32
#include "kernels/gemm/quant_neon.inc.h"
