/* f32 rows -> panel; see float_avx2.inc.h. */
#define PACK pi_pack_f32_avx2
#define ELEMENT uint32_t
#include "kernels/pack/float_avx2.inc.h"
