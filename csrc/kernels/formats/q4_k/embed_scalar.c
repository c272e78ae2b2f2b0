/* One row of a packed q4_k matrix. */
#include "kernels/formats/q4_k/scalar.h"

#define PARAM_KERNEL pi_embed_q4_k_scalar
#include "kernels/embed/quant_scalar.inc.h"
