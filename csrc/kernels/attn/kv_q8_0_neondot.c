/* Attention over a q8_0 cache, aarch64 with dot product instructions. */
#include "kernels/util/arm_dot.h"

#define PARAM_KERNEL pi_attn_kv_q8_0_neondot
#define PARAM_DOT pi_dot_lane
#include "kernels/attn/kv_q8_0_neon.inc.h"
