/* Scalar dot product of one packed q4_k row; see row_dot_scaled.inc.h. */
#define GROUP struct pi_super_q4_k
#define SPAN 2
#define PART 32
#define BIAS 0
#define CODE pi_code_q4_k
#define SCALE pi_scale_q4_k
#define MIN pi_min_q4_k
#include "kernels/util/row_dot_scaled.inc.h"
