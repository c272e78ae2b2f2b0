/* Scalar dot product of one packed q2_k row; see row_dot_scaled.inc.h. */
#define GROUP struct pi_super_q2_k
#define SPAN 2
#define PART 16
#define BIAS 0
#define CODE pi_code_q2_k
#define SCALE pi_scale_q2_k
#define MIN pi_min_q2_k
#include "kernels/util/row_dot_scaled.inc.h"
