/* Attention over an f32 cache, scalar. */
#define PARAM_KERNEL pi_attn_kv_f32_scalar
#define PARAM_ELEMENT float
#define PARAM_LOAD(x) (x)
#include "kernels/attn/kv_scalar.inc.h"
