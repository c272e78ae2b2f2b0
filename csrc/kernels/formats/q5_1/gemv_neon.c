/* q5_1 GEMV, Armv8.0. */
#include "kernels/formats/q5_1/neon.h"
#include "kernels/util/arm_sums16.h"

#define PARAM_KERNEL pi_gemv_q5_1_neon
#define PARAM_SUMS pi_sums16
#include "kernels/gemv/quant_neon.inc.h"
