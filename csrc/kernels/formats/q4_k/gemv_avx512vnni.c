/* q4_k GEMV, AVX-512 VNNI. */
#include "kernels/formats/q4_k/avx512vnni.h"

#define PARAM_KERNEL pi_gemv_q4_k_avx512vnni
#include "kernels/gemv/scaled_avx512vnni.inc.h"
