/* Attention over an f16 cache, AVX2; see kv_avx2.inc.h. */
#define NAME pi_attn_kv_f16_avx2
#define ELEMENT uint16_t
#define LOAD8(p) pi_load_f16_256(p)
#include "kernels/attn/kv_avx2.inc.h"
