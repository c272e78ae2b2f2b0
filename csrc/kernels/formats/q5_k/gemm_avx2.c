/* q5_k GEMM, AVX2. */
#include "kernels/formats/q5_k/avx2.h"

#define PARAM_KERNEL pi_gemm_q5_k_avx2
#include "kernels/gemm/scaled_avx2.inc.h"
