/* q4_0 rows -> panel; see quant_avx2.inc.h. */
#define PACK pi_pack_q4_0_avx2
#define GROUP struct pi_group_q4_0
#define BLOCK struct pi_block_q4_0
#define ZERO_BYTE 0x88
#define FLIP_BYTE 0
#include "kernels/pack/quant_avx2.inc.h"
