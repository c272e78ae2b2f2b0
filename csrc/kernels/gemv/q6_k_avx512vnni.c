/* q6_k GEMV, AVX-512 VNNI. */
#include "kernels/util/scaled_q6_k_avx512vnni.h"

#define NAME pi_gemv_q6_k_avx512vnni
#include "kernels/gemv/scaled_avx512vnni.inc.h"
