/* Attention over an f16 cache, scalar. */
#define NAME pi_attn_kv_f16_scalar
#define ELEMENT uint16_t
#define VALUE(x) pi_f16_to_f32(x)
#include "kernels/attn/kv_scalar.inc.h"
