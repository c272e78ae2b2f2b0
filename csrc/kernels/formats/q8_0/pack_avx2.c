/* q8_0 rows -> panel. */
#include "kernels/formats/q8_0/layout.h"

#define PARAM_PACK pi_pack_q8_0_avx2
#define PARAM_GROUP struct pi_group_q8_0
#define PARAM_BLOCK struct pi_block_q8_0
#define PARAM_ZERO_BYTE 0
#define PARAM_FLIP_BYTE 0x80
#include "kernels/pack/quant_avx2.inc.h"
