/* Attention over an f16 cache, Armv8.0; see kv_neon.inc.h. */
#define PARAM_KERNEL pi_attn_kv_f16_neon
#define PARAM_ELEMENT uint16_t
#define PARAM_LOAD pi_load16_f16_128
#include "kernels/attn/kv_neon.inc.h"
