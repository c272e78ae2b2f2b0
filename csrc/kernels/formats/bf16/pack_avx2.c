/* bf16 rows -> panel. */
#define PARAM_PACK pi_pack_bf16_avx2
#define PARAM_ELEMENT uint16_t
#include "kernels/pack/float_avx2.inc.h"
