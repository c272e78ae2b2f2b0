/* One row of a packed q5_1 matrix; see row_scalar.inc.h. */
#include "kernels/util/panel_codes.h"

#define NAME pi_embed_q5_1_scalar
#define GROUP struct pi_group_q5_1
#define INPUTS PI_GROUP_INPUTS
#define VALUE(group, i, r)                                                                         \
    (pi_scale_q5_1(group, (i) / 32, r) * (float)pi_code_q5_1(group, i, r) +                        \
     pi_min_q5_1(group, (i) / 32, r))
#include "kernels/embed/row_scalar.inc.h"
