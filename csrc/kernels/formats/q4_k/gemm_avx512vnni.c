/* q4_k GEMM, AVX-512 VNNI. */
#include "kernels/formats/q4_k/avx512vnni.h"

#define PARAM_KERNEL pi_gemm_q4_k_avx512vnni
#include "kernels/gemm/scaled_avx512vnni.inc.h"
