/* q4_k GEMM, aarch64 with dot products. */
#include "kernels/formats/q4_k/neon.h"
#include "kernels/util/arm_sums_dot.h"

#define PARAM_KERNEL pi_gemm_q4_k_neondot
#define PARAM_SUMS pi_sums_dot
#include "kernels/gemm/quant_neon.inc.h"
