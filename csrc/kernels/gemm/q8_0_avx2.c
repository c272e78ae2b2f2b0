/* q8_0 GEMM with maddubs on 256-bit registers; see quant_256.inc.h and util/planes_q8_0_avx2.h. */
#include "kernels/util/planes_q8_0_avx2.h"
#include "kernels/util/x86_sum_maddubs256.h"

#define NAME pi_gemm_q8_0_avx2
#include "kernels/gemm/quant_256.inc.h"
