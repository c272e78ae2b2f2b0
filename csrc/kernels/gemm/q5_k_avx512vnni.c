/* q5_k GEMM, AVX-512 VNNI. */
#include "kernels/util/scaled_q5_k_avx512vnni.h"

#define NAME pi_gemm_q5_k_avx512vnni
#include "kernels/gemm/scaled_avx512vnni.inc.h"
