/* One row of a packed q5_k matrix. */
#include "kernels/formats/q5_k/scalar.h"

#define PARAM_KERNEL pi_embed_q5_k_scalar
#include "kernels/embed/quant_scalar.inc.h"
