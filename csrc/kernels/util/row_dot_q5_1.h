/* Scalar dot product of one packed q5_1 row; see row_dot_scaled.inc.h. */
#define GROUP struct pi_group_q5_1
#define SPAN 1
#define PART 32
#define BIAS 0
#define CODE pi_code_q5_1
#define SCALE pi_scale_q5_1
#define MIN pi_min_q5_1
#include "kernels/util/row_dot_scaled.inc.h"
