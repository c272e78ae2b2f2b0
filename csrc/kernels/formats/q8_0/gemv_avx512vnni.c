/* q8_0 GEMV, AVX-512 VNNI. */
#include "kernels/formats/q8_0/avx512vnni.h"

#define PARAM_KERNEL pi_gemv_q8_0_avx512vnni
#include "kernels/gemv/quant_avx512vnni.inc.h"
