/* f32 rows -> panel. */
#define PARAM_PACK pi_pack_f32_avx2
#define PARAM_ELEMENT uint32_t
#include "kernels/pack/float_avx2.inc.h"
