/* One row of a packed q8_0 matrix. */
#include "kernels/formats/q8_0/scalar.h"

#define PARAM_KERNEL pi_embed_q8_0_scalar
#include "kernels/embed/quant_scalar.inc.h"
