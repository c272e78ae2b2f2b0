/* One row of a packed f32 matrix; see row_scalar.inc.h. */
#define NAME pi_embed_f32_scalar
#define GROUP struct pi_group_f32
#define INPUTS PI_GROUP_INPUTS
#define VALUE(group, i, r) ((group)->w[i][r])
#include "kernels/embed/row_scalar.inc.h"
