/* One row of a packed q4_0 matrix. */
#include "kernels/formats/q4_0/scalar.h"

#define PARAM_KERNEL pi_embed_q4_0_scalar
#include "kernels/embed/quant_scalar.inc.h"
