/* One row of a packed f16 matrix. */
#include "kernels/formats/f16/scalar.h"

#define PARAM_KERNEL pi_embed_f16_scalar
#include "kernels/embed/float_scalar.inc.h"
