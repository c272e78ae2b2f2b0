/* q6_k GEMV, AVX-512 VNNI. */
#include "kernels/formats/q6_k/avx512vnni.h"

#define PARAM_KERNEL pi_gemv_q6_k_avx512vnni
#include "kernels/gemv/scaled_avx512vnni.inc.h"
