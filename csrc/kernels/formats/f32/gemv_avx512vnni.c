/* f32 GEMV, AVX-512. */
#include "kernels/formats/f32/avx512vnni.h"

#define PARAM_KERNEL pi_gemv_f32_avx512vnni
#include "kernels/gemv/float_avx512vnni.inc.h"
