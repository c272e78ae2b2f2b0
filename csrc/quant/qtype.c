/* The facts table of the weight formats. */
#include "pyinfer/qtype.h"
#include "pyinfer/blocks.h"
#include "pyinfer/panels.h"

static const struct pi_qtype QTYPES[PI_FORMAT_COUNT] = {
    [PI_FORMAT_F32] = {"f32", 1, 4, sizeof(struct pi_group_f32), false},
    [PI_FORMAT_F16] = {"f16", 1, 2, sizeof(struct pi_group_16bit), false},
    [PI_FORMAT_BF16] = {"bf16", 1, 2, sizeof(struct pi_group_16bit), false},
    [PI_FORMAT_Q8_0] = {"q8_0", PI_BLOCK_INPUTS, sizeof(struct pi_block_q8_0),
                        sizeof(struct pi_group_q8_0), true},
    [PI_FORMAT_Q4_0] = {"q4_0", PI_BLOCK_INPUTS, sizeof(struct pi_block_q4_0),
                        sizeof(struct pi_group_q4_0), true},
};

const struct pi_qtype *pi_qtype_of(enum pi_format format) {
    return (unsigned)format < PI_FORMAT_COUNT ? &QTYPES[format] : NULL;
}
