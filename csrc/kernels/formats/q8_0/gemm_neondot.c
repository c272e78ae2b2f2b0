/* q8_0 GEMM, aarch64 with dot products. */
#include "kernels/formats/q8_0/neon.h"
#include "kernels/util/arm_sums_dot.h"

#define PARAM_KERNEL pi_gemm_q8_0_neondot
#define PARAM_SUMS pi_sums_dot
#include "kernels/gemm/quant_neon.inc.h"
