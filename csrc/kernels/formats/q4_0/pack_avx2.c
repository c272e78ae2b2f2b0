/* q4_0 rows -> panel. */
#include "kernels/formats/q4_0/layout.h"

#define PARAM_PACK pi_pack_q4_0_avx2
#define PARAM_GROUP struct pi_group_q4_0
#define PARAM_BLOCK struct pi_block_q4_0
#define PARAM_ZERO_BYTE 0x88
#define PARAM_FLIP_BYTE 0
#include "kernels/pack/quant_avx2.inc.h"
