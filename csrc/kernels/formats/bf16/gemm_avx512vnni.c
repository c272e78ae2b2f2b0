/* bf16 GEMM, AVX-512. */
#include "kernels/formats/bf16/avx512vnni.h"

#define PARAM_KERNEL pi_gemm_bf16_avx512vnni
#include "kernels/gemm/float_avx512vnni.inc.h"
