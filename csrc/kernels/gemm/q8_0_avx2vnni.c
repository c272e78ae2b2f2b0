/* q8_0 GEMM with vpdpbusd on 256-bit registers; see quant_256.inc.h and util/planes_q8_0_avx2vnni.h. */
#include "kernels/util/planes_q8_0_avx2vnni.h"
#include "kernels/util/x86_sum_dpbusd256.h"

#define NAME pi_gemm_q8_0_avx2vnni
#include "kernels/gemm/quant_256.inc.h"
