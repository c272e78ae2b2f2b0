/* q4_0 GEMV, AVX2 with vpdpbusd. */
#include "kernels/formats/q4_0/avx2vnni.h"

#define PARAM_KERNEL pi_gemv_q4_0_avx2vnni
#include "kernels/gemv/quant_avx2.inc.h"
