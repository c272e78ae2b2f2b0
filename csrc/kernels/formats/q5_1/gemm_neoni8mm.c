/* q5_1 GEMM, aarch64 with 8-bit matrix products. */
#include "kernels/formats/q5_1/neon.h"

#define PARAM_KERNEL pi_gemm_q5_1_neoni8mm
#include "kernels/gemm/quant_neoni8mm.inc.h"
