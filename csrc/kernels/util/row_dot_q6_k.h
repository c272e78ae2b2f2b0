/* Scalar dot product of one packed q6_k row; see row_dot_scaled.inc.h. */
#define GROUP struct pi_super_q6_k
#define SPAN 2
#define PART 16
#define BIAS 32
#define CODE pi_code_q6_k
#define SCALE pi_scale_q6_k
#include "kernels/util/row_dot_scaled.inc.h"
