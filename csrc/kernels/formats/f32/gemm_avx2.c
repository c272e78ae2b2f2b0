/* f32 GEMM, AVX2. */
#include "kernels/formats/f32/avx2.h"

#define PARAM_KERNEL pi_gemm_f32_avx2
#include "kernels/gemm/float_avx2.inc.h"
