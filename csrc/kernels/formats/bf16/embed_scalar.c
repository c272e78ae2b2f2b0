/* One row of a packed bf16 matrix. */
#include "kernels/formats/bf16/scalar.h"

#define PARAM_KERNEL pi_embed_bf16_scalar
#include "kernels/embed/float_scalar.inc.h"
