/* f32 rows <-> panel; see float_scalar.inc.h. */
#define PACK pi_pack_f32_scalar
#define UNPACK pi_unpack_f32_scalar
#define ELEMENT uint32_t
#define PER_LINE 1
#include "kernels/pack/float_scalar.inc.h"
