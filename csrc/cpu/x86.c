/* x86-64 feature detection: CPUID bits count only where the operating system saves the registers
 * (XCR0), otherwise the first wide instruction would fault. */
#include "pyinfer/cpu.h"
#include <cpuid.h>
#include <string.h>

#define XCR0_AVX 0x6u     /* XMM and YMM state */
#define XCR0_AVX512 0xe6u /* and opmask, ZMM */

#define EVEX_VNNI (PI_X86_AVX512VL | PI_X86_AVX512VNNI)

static const char *const NAMES[] = {
    "avx2",
    "fma",
    "f16c",
    "bmi2",
    "avx_vnni",
    "avx512f",
    "avx512bw",
    "avx512vl",
    "avx512dq",
    "avx512_vnni",
    "avx_vnni or avx512_vnni",
};

const char *pi_cpu_feature_name(unsigned bit) {
    return bit < sizeof NAMES / sizeof *NAMES ? NAMES[bit] : NULL;
}

static bool bit(unsigned reg, unsigned position) { return (reg >> position & 1u) != 0; }

static uint32_t when(bool has, enum pi_x86_feature feature) { return has ? (uint32_t)feature : 0; }

static unsigned read_xcr0(void) {
    unsigned low;
    unsigned high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    (void)high;
    return low;
}

void pi_cpu_name(char name[PI_CPU_NAME_BYTES]) {
    unsigned words[12];
    if (__get_cpuid_max(0x80000000u, NULL) < 0x80000004u) {
        name[0] = '\0';
        return;
    }
    for (unsigned i = 0; i < 3; i++) {
        __get_cpuid(0x80000002u + i, &words[4 * i], &words[4 * i + 1], &words[4 * i + 2],
                    &words[4 * i + 3]);
    }
    memcpy(name, words, 48);
    name[48] = '\0';
}

uint32_t pi_cpu_features(void) {
    unsigned a;
    unsigned b;
    unsigned c;
    unsigned d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !bit(c, 27)) { /* OSXSAVE */
        return 0;
    }
    const unsigned xcr0 = read_xcr0();
    const bool os_avx = (xcr0 & XCR0_AVX) == XCR0_AVX;
    const bool os_avx512 = (xcr0 & XCR0_AVX512) == XCR0_AVX512;
    uint32_t found = when(os_avx && bit(c, 12), PI_X86_FMA);
    found |= when(os_avx && bit(c, 29), PI_X86_F16C);
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d)) {
        found |= when(os_avx && bit(b, 5), PI_X86_AVX2);
        found |= when(bit(b, 8), PI_X86_BMI2);
        found |= when(os_avx512 && bit(b, 16), PI_X86_AVX512F);
        found |= when(os_avx512 && bit(b, 17), PI_X86_AVX512DQ);
        found |= when(os_avx512 && bit(b, 30), PI_X86_AVX512BW);
        found |= when(os_avx512 && bit(b, 31), PI_X86_AVX512VL);
        found |= when(os_avx512 && bit(c, 11), PI_X86_AVX512VNNI);
        if (a >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d)) {
            found |= when(os_avx && bit(a, 4), PI_X86_AVXVNNI);
        }
    }
    found |= when((found & PI_X86_AVXVNNI) || (found & EVEX_VNNI) == EVEX_VNNI, PI_X86_VNNI256);
    return found;
}
