/* f16 GEMM, AVX-512. */
#include "kernels/formats/f16/avx512vnni.h"

#define PARAM_KERNEL pi_gemm_f16_avx512vnni
#include "kernels/gemm/float_avx512vnni.inc.h"
