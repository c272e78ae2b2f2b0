/* Scalar dot product of one packed q4_0 row; see row_dot_quant.inc.h. */
#define GROUP struct pi_group_q4_0
#define START start_q4
#define WEIGHT(group, b, i, row)                                                                   \
    (((group)->q[b][((i) / 4) % 4][row][(i) % 4] >> ((i) < 16 ? 0 : 4)) & 15)
#include "kernels/util/row_dot_quant.inc.h"
