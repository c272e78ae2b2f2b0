/* Scalar dot product of one packed f32 row; see row_dot_float.inc.h. */
#define GROUP struct pi_group_f32
#define WEIGHT(group, i, row) ((group)->w[i][row])
#include "kernels/util/row_dot_float.inc.h"
