/* bf16 rows <-> panel. */
#define PARAM_PACK pi_pack_bf16_scalar
#define PARAM_UNPACK pi_unpack_bf16_scalar
#define PARAM_ELEMENT uint16_t
#include "kernels/pack/float_scalar.inc.h"
