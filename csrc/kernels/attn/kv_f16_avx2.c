/* Attention over an f16 cache, AVX2; see kv_avx2.inc.h. */
#define PARAM_KERNEL pi_attn_kv_f16_avx2
#define PARAM_ELEMENT uint16_t
#define PARAM_LOAD(p) pi_load_f16_256(p)
#include "kernels/attn/kv_avx2.inc.h"
