/* bf16 GEMV, AVX-512. */
#include "kernels/util/line_bf16_avx512vnni.h"

#define NAME pi_gemv_bf16_avx512vnni
#include "kernels/gemv/float_avx512vnni.inc.h"
