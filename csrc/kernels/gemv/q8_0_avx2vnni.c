/* q8_0 GEMV with vpdpbusd on 256-bit registers; see quant_avx2.inc.h and
 * util/block_dot_q8_0_avx2vnni.h. */
#include "kernels/util/block_dot_q8_0_avx2vnni.h"

#define NAME pi_gemv_q8_0_avx2vnni
#include "kernels/gemv/quant_avx2.inc.h"
