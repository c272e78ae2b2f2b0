/* q8_0 GEMM, aarch64 with 8-bit matrix products. */
#include "kernels/formats/q8_0/neon.h"

#define PARAM_KERNEL pi_gemm_q8_0_neoni8mm
#include "kernels/gemm/quant_neoni8mm.inc.h"
