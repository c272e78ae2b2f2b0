/* q8_0 rows -> panel; see quant_avx2.inc.h. */
#define PACK pi_pack_q8_0_avx2
#define GROUP struct pi_group_q8_0
#define BLOCK struct pi_block_q8_0
#define ZERO_BYTE 0
#define FLIP_BYTE 0x80
#include "kernels/pack/quant_avx2.inc.h"
