/* bf16 GEMV, AVX2. */
#include "kernels/formats/bf16/avx2.h"

#define PARAM_KERNEL pi_gemv_bf16_avx2
#include "kernels/gemv/float_avx2.inc.h"
