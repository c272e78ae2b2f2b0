/* One row of a packed q6_k matrix; see row_scalar.inc.h. */
#include "kernels/util/panel_codes.h"

#define NAME pi_embed_q6_k_scalar
#define GROUP struct pi_super_q6_k
#define INPUTS PI_SUPER_INPUTS
#define VALUE(group, i, r)                                                                         \
    (pi_scale_q6_k(group, (i) / 16, r) * (float)((int)pi_code_q6_k(group, i, r) - 32))
#include "kernels/embed/row_scalar.inc.h"
