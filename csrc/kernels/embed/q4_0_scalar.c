/* One row of a packed q4_0 matrix; see row_scalar.inc.h. */
#define NAME pi_embed_q4_0_scalar
#define GROUP struct pi_group_q4_0
#define INPUTS PI_GROUP_INPUTS
#define VALUE(group, i, r)                                                                         \
    (pi_f16_to_f32((group)->scale[(i) / 32][r]) *                                                  \
     (float)(((group)->q[(i) / 32][(i) % 16 / 4][r][(i) % 4] >> ((i) % 32 < 16 ? 0 : 4) & 15) -    \
             8))
#include "kernels/embed/row_scalar.inc.h"
