/* Attention over an f16 cache, AVX-512. */
#include "kernels/util/x86_math512.h"

#define PARAM_KERNEL pi_attn_kv_f16_avx512vnni
#define PARAM_ELEMENT uint16_t
#define PARAM_LOAD(p) pi_load_f16_512(p)
#include "kernels/attn/kv_avx512vnni.inc.h"
