/* q2_k GEMV, AVX2. */
#include "kernels/formats/q2_k/avx2.h"

#define PARAM_KERNEL pi_gemv_q2_k_avx2
#include "kernels/gemv/scaled_avx2.inc.h"
