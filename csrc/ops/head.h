/* Scratch of the head op. */
#ifndef PYINFER_OPS_HEAD_H
#define PYINFER_OPS_HEAD_H

#include "pyinfer/ops.h"

size_t pi_head_scratch_bytes(const struct pi_head *head);

#endif
