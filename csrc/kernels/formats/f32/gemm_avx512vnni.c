/* f32 GEMM, AVX-512. */
#include "kernels/formats/f32/avx512vnni.h"

#define PARAM_KERNEL pi_gemm_f32_avx512vnni
#include "kernels/gemm/float_avx512vnni.inc.h"
