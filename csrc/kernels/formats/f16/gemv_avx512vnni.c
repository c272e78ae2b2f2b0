/* f16 GEMV, AVX-512. */
#include "kernels/formats/f16/avx512vnni.h"

#define PARAM_KERNEL pi_gemv_f16_avx512vnni
#include "kernels/gemv/float_avx512vnni.inc.h"
