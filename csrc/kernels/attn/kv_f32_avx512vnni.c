/* Attention over an f32 cache, AVX-512. */
#include "kernels/util/x86_math512.h"

#define NAME pi_attn_kv_f32_avx512vnni
#define ELEMENT float
#define LOAD16(p) _mm512_loadu_ps(p)
#include "kernels/attn/kv_avx512vnni.inc.h"
