/* The facts table of the weight formats. */
#include "pyinfer/qtype.h"
#include "pyinfer/blocks.h"
#include "pyinfer/panels.h"

/* Blocks of 32 inputs, or super-blocks of 256 that fill two groups. */
#define BLOCK(name) PI_BLOCK_INPUTS, sizeof(struct pi_block_##name)
#define SUPER(name) PI_SUPER_INPUTS, sizeof(struct pi_block_##name)
#define GROUP(name) sizeof(struct pi_group_##name), true
#define HALF(name) sizeof(struct pi_super_##name) / 2, true

static const struct pi_qtype QTYPES[PI_FILE_FORMAT_COUNT] = {
    [PI_FORMAT_F32] = {"f32", 1, 4, sizeof(struct pi_group_f32), false, PI_FORMAT_F32},
    [PI_FORMAT_F16] = {"f16", 1, 2, sizeof(struct pi_group_16bit), false, PI_FORMAT_F16},
    [PI_FORMAT_BF16] = {"bf16", 1, 2, sizeof(struct pi_group_16bit), false, PI_FORMAT_BF16},
    [PI_FORMAT_Q8_0] = {"q8_0", BLOCK(q8_0), GROUP(q8_0), PI_FORMAT_Q8_0},
    [PI_FORMAT_Q4_0] = {"q4_0", BLOCK(q4_0), GROUP(q4_0), PI_FORMAT_Q4_0},
    [PI_FORMAT_Q5_1] = {"q5_1", BLOCK(q5_1), GROUP(q5_1), PI_FORMAT_Q5_1},
    [PI_FORMAT_Q2_K] = {"q2_k", SUPER(q2_k), HALF(q2_k), PI_FORMAT_Q2_K},
    [PI_FORMAT_Q4_K] = {"q4_k", SUPER(q4_k), HALF(q4_k), PI_FORMAT_Q4_K},
    [PI_FORMAT_Q5_K] = {"q5_k", SUPER(q5_k), HALF(q5_k), PI_FORMAT_Q5_K},
    [PI_FORMAT_Q6_K] = {"q6_k", SUPER(q6_k), HALF(q6_k), PI_FORMAT_Q6_K},
    [PI_FORMAT_Q4_1] = {"q4_1", BLOCK(q4_1), 0, true, PI_FORMAT_Q5_1},
    [PI_FORMAT_Q5_0] = {"q5_0", BLOCK(q5_0), 0, true, PI_FORMAT_Q8_0},
    [PI_FORMAT_IQ4_NL] = {"iq4_nl", BLOCK(iq4_nl), 0, true, PI_FORMAT_Q8_0},
    [PI_FORMAT_Q3_K] = {"q3_k", SUPER(q3_k), 0, true, PI_FORMAT_Q6_K},
};

const struct pi_qtype *pi_qtype_of(enum pi_format format) {
    return (unsigned)format < PI_FILE_FORMAT_COUNT ? &QTYPES[format] : NULL;
}
