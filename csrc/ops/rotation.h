/* Angles of the rotary embedding. */
#ifndef PYINFER_OPS_ROTATION_H
#define PYINFER_OPS_ROTATION_H

#include "pyinfer/ops.h"

/* Row `row` of the table: cos and sin of position * inverse_frequency[i], times the attention
 * factor, computed in double by our own code so that every machine gets the same bits. */
void pi_rotation_row(const struct pi_rope *rope, int32_t position, size_t row);

#endif
