/* q4_k GEMV, AVX2. */
#include "kernels/formats/q4_k/avx2.h"

#define PARAM_KERNEL pi_gemv_q4_k_avx2
#include "kernels/gemv/scaled_avx2.inc.h"
