/* bf16 rows <-> panel; see float_scalar.inc.h. */
#define PACK pi_pack_bf16_scalar
#define UNPACK pi_unpack_bf16_scalar
#define ELEMENT uint16_t
#define PER_LINE 2
#include "kernels/pack/float_scalar.inc.h"
