/* The facts table of the weight formats. */
#include "pyinfer/qtype.h"

#define FLOAT(format, NAME, id, inputs, bytes, group, panel)                                       \
    [PI_FORMAT_##NAME] = {#format, inputs, bytes, group, false, PI_FORMAT_##panel, id},
#define QUANTIZED(format, NAME, id, inputs, bytes, group, panel)                                   \
    [PI_FORMAT_##NAME] = {#format, inputs, bytes, group, true, PI_FORMAT_##panel, id},

static const struct pi_qtype QTYPES[PI_FILE_FORMAT_COUNT] = {
    PI_FLOAT_FORMATS(FLOAT) PI_QUANTIZED_FORMATS(QUANTIZED) PI_FILE_ONLY_FORMATS(QUANTIZED)};

const struct pi_qtype *pi_qtype_of(enum pi_format format) {
    return (unsigned)format < PI_FILE_FORMAT_COUNT ? &QTYPES[format] : NULL;
}
