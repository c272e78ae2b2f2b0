/* f32 GEMV, AVX2. */
#include "kernels/formats/f32/avx2.h"

#define PARAM_KERNEL pi_gemv_f32_avx2
#include "kernels/gemv/float_avx2.inc.h"
