/* What this CPU can do, checked against what the operating system saves and restores. */
#ifndef PYINFER_CPU_H
#define PYINFER_CPU_H

#include "pyinfer/types.h"

/* One bit each; an architecture numbers its own. cpu/<architecture>.c finds and names them. */
enum pi_x86_feature {
    PI_X86_AVX2 = 1 << 0,
    PI_X86_FMA = 1 << 1,
    PI_X86_F16C = 1 << 2,
    PI_X86_BMI2 = 1 << 3,
    PI_X86_AVXVNNI = 1 << 4,
    PI_X86_AVX512F = 1 << 5,
    PI_X86_AVX512BW = 1 << 6,
    PI_X86_AVX512VL = 1 << 7,
    PI_X86_AVX512DQ = 1 << 8,
    PI_X86_AVX512VNNI = 1 << 9,
    PI_X86_VNNI256 = 1 << 10, /* vpdpbusd on 256 bits, in one of its two encodings */
};
enum pi_arm_feature {
    PI_ARM_ASIMD = 1 << 0,
    PI_ARM_DOTPROD = 1 << 1,
    PI_ARM_I8MM = 1 << 2,
};

uint32_t pi_cpu_features(void);

/* Name of the feature 1 << bit, as /proc/cpuinfo has it; NULL from the first unused bit on. */
const char *pi_cpu_feature_name(unsigned bit);

/* Name of the processor, "" if unknown. */
#define PI_CPU_NAME_BYTES 128
void pi_cpu_name(char name[PI_CPU_NAME_BYTES]);

#endif
