/* q6_k GEMM, aarch64 with 8-bit matrix products. */
#include "kernels/formats/q6_k/neon.h"

#define PARAM_KERNEL pi_gemm_q6_k_neoni8mm
#include "kernels/gemm/quant_neoni8mm.inc.h"
