/* f16 GEMM, AVX2. */
#include "kernels/formats/f16/avx2.h"

#define PARAM_KERNEL pi_gemm_f16_avx2
#include "kernels/gemm/float_avx2.inc.h"
