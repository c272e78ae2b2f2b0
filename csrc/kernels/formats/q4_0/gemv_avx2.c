/* q4_0 GEMV, AVX2. */
#include "kernels/formats/q4_0/avx2.h"

#define PARAM_KERNEL pi_gemv_q4_0_avx2
#include "kernels/gemv/quant_avx2.inc.h"
