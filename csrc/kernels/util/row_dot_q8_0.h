/* Scalar dot product of one packed q8_0 row; see row_dot_quant.inc.h. */
#define GROUP struct pi_group_q8_0
#define START start_q8
#define WEIGHT(group, b, i, row) ((group)->q[b][(i) / 4][row][(i) % 4])
#include "kernels/util/row_dot_quant.inc.h"
