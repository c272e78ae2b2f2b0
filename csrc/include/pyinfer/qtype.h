/* Facts of each weight format, by the rows of formats.h. */
#ifndef PYINFER_QTYPE_H
#define PYINFER_QTYPE_H

#include "pyinfer/types.h"

struct pi_qtype {
    const char *name;
    size_t block_inputs;  /* inputs of one file block */
    size_t block_bytes;   /* bytes of one file block */
    size_t group_bytes;   /* bytes of 16 rows x 128 inputs packed; 0 for a format of files only */
    bool quantized;       /* multiplied with a8 activations; otherwise with f32 */
    enum pi_format panel; /* the format whose panels hold its values exactly, often itself */
    int32_t ggml_type;    /* id in GGUF files */
};

/* Facts of a format of panels or files; NULL if out of range. */
const struct pi_qtype *pi_qtype_of(enum pi_format format);

#endif
