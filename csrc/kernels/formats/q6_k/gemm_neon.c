/* q6_k GEMM, Armv8.0. */
#include "kernels/formats/q6_k/neon.h"
#include "kernels/util/arm_sums16.h"

#define PARAM_KERNEL pi_gemm_q6_k_neon
#define PARAM_SUMS pi_sums16
#include "kernels/gemm/quant_neon.inc.h"
