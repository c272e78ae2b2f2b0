/* f32 GEMM, AVX-512. */
#include "kernels/util/line_f32_avx512vnni.h"

#define NAME pi_gemm_f32_avx512vnni
#include "kernels/gemm/float_avx512vnni.inc.h"
