/* q2_k GEMV, Armv8.0. */
#include "kernels/formats/q2_k/neon.h"
#include "kernels/util/arm_sums16.h"

#define PARAM_KERNEL pi_gemv_q2_k_neon
#define PARAM_SUMS pi_sums16
#include "kernels/gemv/quant_neon.inc.h"
