/* q4_0 GEMV with maddubs on 256-bit registers; see quant_avx2.inc.h and util/block_dot_q4_0_avx2.h. */
#include "kernels/util/block_dot_q4_0_avx2.h"

#define NAME pi_gemv_q4_0_avx2
#include "kernels/gemv/quant_avx2.inc.h"
