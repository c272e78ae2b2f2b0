/* q8_0 panels for the scalar templates: the specification. */
#include "kernels/formats/q8_0/layout.h"
#include "kernels/util/f16.h"

#define PARAM_GROUP struct pi_group_q8_0
#define PARAM_SPAN 1
#define PARAM_PART_INPUTS 32
#define PARAM_BIAS 128
#define PARAM_HAS_MIN 0
#define PARAM_CODE(group, i, row) ((group)->q[(i) / 32][(i) % 32 / 4][row][(i) % 4])
#define PARAM_SCALE(group, part, row) pi_f16_to_f32((group)->scale[part][row])
