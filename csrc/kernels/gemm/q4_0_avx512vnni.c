/* q4_0 GEMM, AVX-512 VNNI. */
#include "kernels/util/block_q4_0_avx512vnni.h"

#define NAME pi_gemm_q4_0_avx512vnni
#include "kernels/gemm/quant_avx512vnni.inc.h"
