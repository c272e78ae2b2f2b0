/* One row of a packed q4_k matrix; see row_scalar.inc.h. */
#include "kernels/util/panel_codes.h"

#define NAME pi_embed_q4_k_scalar
#define GROUP struct pi_super_q4_k
#define INPUTS PI_SUPER_INPUTS
#define VALUE(group, i, r)                                                                         \
    (pi_scale_q4_k(group, (i) / 32, r) * (float)pi_code_q4_k(group, i, r) +                        \
     pi_min_q4_k(group, (i) / 32, r))
#include "kernels/embed/row_scalar.inc.h"
