/* q4_0 GEMM, AVX-512 VNNI. */
#include "kernels/formats/q4_0/avx512vnni.h"

#define PARAM_KERNEL pi_gemm_q4_0_avx512vnni
#include "kernels/gemm/quant_avx512vnni.inc.h"
