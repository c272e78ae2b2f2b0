/* One row of a packed q5_1 matrix. */
#include "kernels/formats/q5_1/scalar.h"

#define PARAM_KERNEL pi_embed_q5_1_scalar
#include "kernels/embed/quant_scalar.inc.h"
