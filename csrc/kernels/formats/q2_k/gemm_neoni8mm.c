/* q2_k GEMM, aarch64 with 8-bit matrix products. */
#include "kernels/formats/q2_k/neon.h"

#define PARAM_KERNEL pi_gemm_q2_k_neoni8mm
#include "kernels/gemm/quant_neoni8mm.inc.h"
