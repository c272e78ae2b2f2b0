/* Attention over an f32 cache, scalar. */
#define NAME pi_attn_kv_f32_scalar
#define ELEMENT float
#define VALUE(x) (x)
#include "kernels/attn/kv_scalar.inc.h"
