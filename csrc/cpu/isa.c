/* Names of the instruction set levels. */
#include "pyinfer/cpu.h"

static const char *const NAMES[PI_ISA_COUNT] = {
    [PI_ISA_SCALAR] = "scalar",
    [PI_ISA_AVX2] = "avx2",
    [PI_ISA_AVX2VNNI] = "avx2vnni",
    [PI_ISA_AVX512VNNI] = "avx512vnni",
};

const char *pi_isa_name(enum pi_isa isa) {
    return (unsigned)isa < PI_ISA_COUNT ? NAMES[isa] : NULL;
}
