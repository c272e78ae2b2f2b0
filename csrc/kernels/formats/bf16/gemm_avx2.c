/* bf16 GEMM, AVX2. */
#include "kernels/formats/bf16/avx2.h"

#define PARAM_KERNEL pi_gemm_bf16_avx2
#include "kernels/gemm/float_avx2.inc.h"
