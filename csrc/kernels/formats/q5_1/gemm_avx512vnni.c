/* q5_1 GEMM, AVX-512 VNNI. */
#include "kernels/formats/q5_1/avx512vnni.h"

#define PARAM_KERNEL pi_gemm_q5_1_avx512vnni
#include "kernels/gemm/scaled_avx512vnni.inc.h"
