/* What this CPU can do, checked against what the operating system saves and restores. */
#ifndef PYINFER_CPU_H
#define PYINFER_CPU_H

#include "pyinfer/types.h"

struct pi_cpu {
    bool avx2, fma, f16c, bmi2, avxvnni;
    bool avx512f, avx512bw, avx512vl, avx512dq, avx512vnni;
    char brand[49]; /* processor brand string, "" if unknown */
};

void pi_cpu_detect(struct pi_cpu *cpu);

/* Highest level of enum pi_isa that the CPU and this build can run. */
enum pi_isa pi_cpu_best_isa(const struct pi_cpu *cpu);

/* Token of a level ("scalar", "avx2", ...), NULL if out of range. */
const char *pi_isa_name(enum pi_isa isa);

#endif
