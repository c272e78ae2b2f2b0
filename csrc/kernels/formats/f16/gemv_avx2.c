/* f16 GEMV, AVX2. */
#include "kernels/formats/f16/avx2.h"

#define PARAM_KERNEL pi_gemv_f16_avx2
#include "kernels/gemv/float_avx2.inc.h"
