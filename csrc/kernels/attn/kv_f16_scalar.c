/* Attention over an f16 cache, scalar. */
#define PARAM_KERNEL pi_attn_kv_f16_scalar
#define PARAM_ELEMENT uint16_t
#define PARAM_LOAD(x) pi_f16_to_f32(x)
#include "kernels/attn/kv_scalar.inc.h"
