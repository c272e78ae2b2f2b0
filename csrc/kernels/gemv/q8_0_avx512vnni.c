/* q8_0 GEMV, AVX-512 VNNI. */
#include "kernels/util/block_q8_0_avx512vnni.h"

#define NAME pi_gemv_q8_0_avx512vnni
#include "kernels/gemv/quant_avx512vnni.inc.h"
