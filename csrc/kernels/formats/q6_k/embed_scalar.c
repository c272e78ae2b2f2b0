/* One row of a packed q6_k matrix. */
#include "kernels/formats/q6_k/scalar.h"

#define PARAM_KERNEL pi_embed_q6_k_scalar
#include "kernels/embed/quant_scalar.inc.h"
