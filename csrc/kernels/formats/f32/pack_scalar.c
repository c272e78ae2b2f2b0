/* f32 rows <-> panel. */
#define PARAM_PACK pi_pack_f32_scalar
#define PARAM_UNPACK pi_unpack_f32_scalar
#define PARAM_ELEMENT uint32_t
#include "kernels/pack/float_scalar.inc.h"
