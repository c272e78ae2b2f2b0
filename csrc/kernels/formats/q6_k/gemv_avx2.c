/* q6_k GEMV, AVX2. */
#include "kernels/formats/q6_k/avx2.h"

#define PARAM_KERNEL pi_gemv_q6_k_avx2
#include "kernels/gemv/scaled_avx2.inc.h"
