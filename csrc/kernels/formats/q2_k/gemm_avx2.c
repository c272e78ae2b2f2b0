/* q2_k GEMM, AVX2. */
#include "kernels/formats/q2_k/avx2.h"

#define PARAM_KERNEL pi_gemm_q2_k_avx2
#include "kernels/gemm/scaled_avx2.inc.h"
