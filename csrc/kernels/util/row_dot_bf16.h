/* Scalar dot product of one packed bf16 row; see row_dot_float.inc.h. */
#define GROUP struct pi_group_16bit
#define WEIGHT(group, i, row) pi_bf16_to_f32((group)->w[(i) / 2][row][(i) % 2])
#include "kernels/util/row_dot_float.inc.h"
