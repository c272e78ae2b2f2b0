/* One row of a packed bf16 matrix; see row_scalar.inc.h. */
#define NAME pi_embed_bf16_scalar
#define GROUP struct pi_group_16bit
#define INPUTS PI_GROUP_INPUTS
#define VALUE(group, i, r) pi_bf16_to_f32((group)->w[(i) / 2][r][(i) % 2])
#include "kernels/embed/row_scalar.inc.h"
