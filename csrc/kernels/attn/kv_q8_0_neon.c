/* Attention over a q8_0 cache, Armv8.0. */
#include "kernels/util/arm_products.h"

#define PARAM_KERNEL pi_attn_kv_q8_0_neon
#define PARAM_DOT pi_products_lane
#include "kernels/attn/kv_q8_0_neon.inc.h"
