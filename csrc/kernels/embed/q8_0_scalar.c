/* One row of a packed q8_0 matrix; see row_scalar.inc.h. */
#define NAME pi_embed_q8_0_scalar
#define GROUP struct pi_group_q8_0
#define INPUTS PI_GROUP_INPUTS
#define VALUE(group, i, r)                                                                         \
    (pi_f16_to_f32((group)->scale[(i) / 32][r]) *                                                  \
     (float)((group)->q[(i) / 32][(i) % 32 / 4][r][(i) % 4] - 128))
#include "kernels/embed/row_scalar.inc.h"
