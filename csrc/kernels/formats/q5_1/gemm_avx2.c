/* q5_1 GEMM, AVX2. */
#include "kernels/formats/q5_1/avx2.h"

#define PARAM_KERNEL pi_gemm_q5_1_avx2
#include "kernels/gemm/scaled_avx2.inc.h"
