/* Scratch of the attention op. */
#ifndef PYINFER_OPS_ATTENTION_H
#define PYINFER_OPS_ATTENTION_H

#include "pyinfer/ops.h"

size_t pi_attention_scratch_bytes(const struct pi_attention *a);

#endif
