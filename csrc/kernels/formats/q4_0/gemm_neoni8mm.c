/* q4_0 GEMM, aarch64 with 8-bit matrix products. */
#include "kernels/formats/q4_0/neon.h"

#define PARAM_KERNEL pi_gemm_q4_0_neoni8mm
#include "kernels/gemm/quant_neoni8mm.inc.h"
