/* q8_0 GEMV, Armv8.0. */
#include "kernels/formats/q8_0/neon.h"
#include "kernels/util/arm_sums32.h"

#define PARAM_KERNEL pi_gemv_q8_0_neon
#define PARAM_SUMS pi_sums32
#include "kernels/gemv/quant_neon.inc.h"
