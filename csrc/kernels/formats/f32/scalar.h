/* f32 panels for the scalar templates: the specification. */
#include "kernels/formats/f32/layout.h"
#include "kernels/util/f16.h"

#define PARAM_GROUP struct pi_group_f32
#define PARAM_WEIGHT(group, i, row) ((group)->w[i][row])
