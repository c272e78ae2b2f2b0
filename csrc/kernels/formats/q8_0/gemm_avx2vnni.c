/* q8_0 GEMM, AVX2 with vpdpbusd. */
#include "kernels/formats/q8_0/avx2vnni.h"

#define PARAM_KERNEL pi_gemm_q8_0_avx2vnni
#include "kernels/gemm/quant_avx2.inc.h"
