/* q5_1 GEMV, AVX-512 VNNI. */
#include "kernels/util/scaled_q5_1_avx512vnni.h"

#define NAME pi_gemv_q5_1_avx512vnni
#include "kernels/gemv/scaled_avx512vnni.inc.h"
