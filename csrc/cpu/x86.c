/* x86-64 feature detection: CPUID bits count only where the operating system saves the registers
 * (XCR0), otherwise the first wide instruction would fault. */
#include "pyinfer/cpu.h"
#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>

#define XCR0_AVX 0x6u     /* XMM and YMM state */
#define XCR0_AVX512 0xe6u /* and opmask, ZMM */

static bool bit(unsigned reg, unsigned position) { return (reg >> position & 1u) != 0; }

static unsigned read_xcr0(void) {
    unsigned low;
    unsigned high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    (void)high;
    return low;
}

static void read_brand(char brand[49]) {
    unsigned words[12];
    if (__get_cpuid_max(0x80000000u, NULL) < 0x80000004u) {
        brand[0] = '\0';
        return;
    }
    for (unsigned i = 0; i < 3; i++) {
        __get_cpuid(0x80000002u + i, &words[4 * i], &words[4 * i + 1], &words[4 * i + 2],
                    &words[4 * i + 3]);
    }
    memcpy(brand, words, 48);
    brand[48] = '\0';
}

void pi_cpu_detect(struct pi_cpu *cpu) {
    unsigned a;
    unsigned b;
    unsigned c;
    unsigned d;
    memset(cpu, 0, sizeof *cpu);
    read_brand(cpu->brand);
    if (!__get_cpuid(1, &a, &b, &c, &d) || !bit(c, 27)) { /* OSXSAVE */
        return;
    }
    const unsigned xcr0 = read_xcr0();
    const bool os_avx = (xcr0 & XCR0_AVX) == XCR0_AVX;
    const bool os_avx512 = (xcr0 & XCR0_AVX512) == XCR0_AVX512;
    cpu->fma = os_avx && bit(c, 12);
    cpu->f16c = os_avx && bit(c, 29);
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) {
        return;
    }
    cpu->avx2 = os_avx && bit(b, 5);
    cpu->bmi2 = bit(b, 8);
    cpu->avx512f = os_avx512 && bit(b, 16);
    cpu->avx512dq = os_avx512 && bit(b, 17);
    cpu->avx512bw = os_avx512 && bit(b, 30);
    cpu->avx512vl = os_avx512 && bit(b, 31);
    cpu->avx512vnni = os_avx512 && bit(c, 11);
    if (a >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d)) {
        cpu->avxvnni = os_avx && bit(a, 4);
    }
}

enum pi_isa pi_cpu_best_isa(const struct pi_cpu *cpu) {
    enum pi_isa best = PI_ISA_SCALAR;
#if defined(PI_BUILD_AVX2)
    if (!(cpu->avx2 && cpu->fma && cpu->f16c && cpu->bmi2)) {
        return best;
    }
    best = PI_ISA_AVX2;
#endif
#if defined(PI_BUILD_AVX2VNNI)
    if (cpu->avxvnni || (cpu->avx512vl && cpu->avx512vnni)) {
        best = PI_ISA_AVX2VNNI;
    }
#endif
#if defined(PI_BUILD_AVX512VNNI)
    if (cpu->avx512f && cpu->avx512bw && cpu->avx512vl && cpu->avx512dq && cpu->avx512vnni) {
        best = PI_ISA_AVX512VNNI;
    }
#endif
    return best;
}

#else

void pi_cpu_detect(struct pi_cpu *cpu) { memset(cpu, 0, sizeof *cpu); }

enum pi_isa pi_cpu_best_isa(const struct pi_cpu *cpu) {
    (void)cpu;
    return PI_ISA_SCALAR;
}

#endif
