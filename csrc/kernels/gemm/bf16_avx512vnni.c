/* bf16 GEMM, AVX-512. */
#include "kernels/util/line_bf16_avx512vnni.h"

#define NAME pi_gemm_bf16_avx512vnni
#include "kernels/gemm/float_avx512vnni.inc.h"
