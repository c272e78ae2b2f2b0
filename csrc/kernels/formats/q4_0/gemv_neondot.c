/* q4_0 GEMV, aarch64 with dot products. */
#include "kernels/formats/q4_0/neon.h"
#include "kernels/util/arm_sums_dot.h"

#define PARAM_KERNEL pi_gemv_q4_0_neondot
#define PARAM_SUMS pi_sums_dot
#include "kernels/gemv/quant_neon.inc.h"
