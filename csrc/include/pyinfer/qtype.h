/* Facts of each weight format. */
#ifndef PYINFER_QTYPE_H
#define PYINFER_QTYPE_H

#include "pyinfer/types.h"

struct pi_qtype {
    const char *name;
    size_t block_inputs; /* inputs of one file block */
    size_t block_bytes;  /* bytes of one file block */
    size_t group_bytes;  /* bytes of one packed group: 16 rows x 128 inputs */
    bool quantized;      /* multiplied with a8 activations; otherwise with f32 */
};

/* Facts of a format; NULL if out of range. */
const struct pi_qtype *pi_qtype_of(enum pi_format format);

#endif
