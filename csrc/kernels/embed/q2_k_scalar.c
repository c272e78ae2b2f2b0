/* One row of a packed q2_k matrix; see row_scalar.inc.h. */
#include "kernels/util/panel_codes.h"

#define NAME pi_embed_q2_k_scalar
#define GROUP struct pi_super_q2_k
#define INPUTS PI_SUPER_INPUTS
#define VALUE(group, i, r)                                                                         \
    (pi_scale_q2_k(group, (i) / 16, r) * (float)pi_code_q2_k(group, i, r) +                        \
     pi_min_q2_k(group, (i) / 16, r))
#include "kernels/embed/row_scalar.inc.h"
