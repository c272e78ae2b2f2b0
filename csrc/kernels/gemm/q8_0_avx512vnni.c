/* q8_0 GEMM, AVX-512 VNNI. */
#include "kernels/util/block_q8_0_avx512vnni.h"

#define NAME pi_gemm_q8_0_avx512vnni
#include "kernels/gemm/quant_avx512vnni.inc.h"
