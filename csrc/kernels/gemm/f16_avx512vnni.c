/* f16 GEMM, AVX-512. */
#include "kernels/util/line_f16_avx512vnni.h"

#define NAME pi_gemm_f16_avx512vnni
#include "kernels/gemm/float_avx512vnni.inc.h"
