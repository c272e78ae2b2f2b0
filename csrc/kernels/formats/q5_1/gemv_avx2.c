/* q5_1 GEMV, AVX2. */
#include "kernels/formats/q5_1/avx2.h"

#define PARAM_KERNEL pi_gemv_q5_1_avx2
#include "kernels/gemv/scaled_avx2.inc.h"
