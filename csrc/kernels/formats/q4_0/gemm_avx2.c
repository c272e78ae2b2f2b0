/* q4_0 GEMM, AVX2. */
#include "kernels/formats/q4_0/avx2.h"

#define PARAM_KERNEL pi_gemm_q4_0_avx2
#include "kernels/gemm/quant_avx2.inc.h"
