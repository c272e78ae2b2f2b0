/* q5_1 GEMV, AVX-512 VNNI. */
#include "kernels/formats/q5_1/avx512vnni.h"

#define PARAM_KERNEL pi_gemv_q5_1_avx512vnni
#include "kernels/gemv/scaled_avx512vnni.inc.h"
