/* One row of a packed q2_k matrix. */
#include "kernels/formats/q2_k/scalar.h"

#define PARAM_KERNEL pi_embed_q2_k_scalar
#include "kernels/embed/quant_scalar.inc.h"
