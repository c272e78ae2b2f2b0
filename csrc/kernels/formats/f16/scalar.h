/* f16 panels for the scalar templates: the specification. */
#include "kernels/formats/f16/layout.h"
#include "kernels/util/f16.h"

#define PARAM_GROUP struct pi_group_16bit
#define PARAM_WEIGHT(group, i, row) pi_f16_to_f32((group)->w[(i) / 2][row][(i) % 2])
