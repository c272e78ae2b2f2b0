/* Attention over an f32 cache, AVX-512. */
#include "kernels/util/x86_math512.h"

#define PARAM_KERNEL pi_attn_kv_f32_avx512vnni
#define PARAM_ELEMENT float
#define PARAM_LOAD(p) _mm512_loadu_ps(p)
#include "kernels/attn/kv_avx512vnni.inc.h"
