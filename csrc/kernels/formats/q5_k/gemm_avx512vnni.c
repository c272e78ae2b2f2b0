/* q5_k GEMM, AVX-512 VNNI. */
#include "kernels/formats/q5_k/avx512vnni.h"

#define PARAM_KERNEL pi_gemm_q5_k_avx512vnni
#include "kernels/gemm/scaled_avx512vnni.inc.h"
