/* q4_k GEMM, AVX2. */
#include "kernels/formats/q4_k/avx2.h"

#define PARAM_KERNEL pi_gemm_q4_k_avx2
#include "kernels/gemm/scaled_avx2.inc.h"
