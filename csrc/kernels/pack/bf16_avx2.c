/* bf16 rows -> panel; see float_avx2.inc.h. */
#define PACK pi_pack_bf16_avx2
#define ELEMENT uint16_t
#include "kernels/pack/float_avx2.inc.h"
