/* One row of a packed f32 matrix. */
#include "kernels/formats/f32/scalar.h"

#define PARAM_KERNEL pi_embed_f32_scalar
#include "kernels/embed/float_scalar.inc.h"
