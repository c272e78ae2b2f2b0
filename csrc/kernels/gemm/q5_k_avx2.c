/* q5_k GEMM with maddubs on 256-bit registers; see util/scaled_dot_avx2.inc.h. */
#include "kernels/util/scaled_q5_k_avx2.h"

#define NAME pi_gemm_q5_k_avx2
#include "kernels/gemm/scaled_avx2.inc.h"
