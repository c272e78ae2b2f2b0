/* Attention over an f32 cache, AVX2; see kv_avx2.inc.h. */
#define PARAM_KERNEL pi_attn_kv_f32_avx2
#define PARAM_ELEMENT float
#define PARAM_LOAD(p) _mm256_loadu_ps(p)
#include "kernels/attn/kv_avx2.inc.h"
