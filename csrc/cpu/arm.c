/* aarch64 feature detection: the kernel tells what it enables (AT_HWCAP). The name of a CPU comes from
 * its main ID register, which the kernel shows in sysfs for every CPU, since several kinds may share
 * a chip, and emulates for the CPU that reads it. */
#include "pyinfer/cpu.h"
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>

/* Bits of AT_HWCAP and AT_HWCAP2: asm/hwcap.h of the kernel, fixed for good. */
#define HAS_ASIMD (1ul << 1)
#define HAS_CPUID (1ul << 11)
#define HAS_DOTPROD (1ul << 20)
#define HAS2_I8MM (1ul << 13)

#define MIDR_PATH "/sys/devices/system/cpu/cpu%u/regs/identification/midr_el1"
#define MAX_CPUS 1024u
#define MAX_KINDS 4u

static const char *const NAMES[] = {"asimd", "asimddp", "i8mm"};

/* Implementer and part number: the manuals of the cores. */
static const struct {
    unsigned implementer, part;
    const char *name;
} CORES[] = {
    {0x41, 0xd03, "Cortex-A53"},  {0x41, 0xd04, "Cortex-A35"},  {0x41, 0xd05, "Cortex-A55"},
    {0x41, 0xd07, "Cortex-A57"},  {0x41, 0xd08, "Cortex-A72"},  {0x41, 0xd09, "Cortex-A73"},
    {0x41, 0xd0a, "Cortex-A75"},  {0x41, 0xd0b, "Cortex-A76"},  {0x41, 0xd0c, "Neoverse-N1"},
    {0x41, 0xd0d, "Cortex-A77"},  {0x41, 0xd40, "Neoverse-V1"}, {0x41, 0xd41, "Cortex-A78"},
    {0x41, 0xd44, "Cortex-X1"},   {0x41, 0xd46, "Cortex-A510"}, {0x41, 0xd47, "Cortex-A710"},
    {0x41, 0xd48, "Cortex-X2"},   {0x41, 0xd49, "Neoverse-N2"}, {0x41, 0xd4d, "Cortex-A715"},
    {0x41, 0xd4e, "Cortex-X3"},   {0x41, 0xd4f, "Neoverse-V2"}, {0x41, 0xd80, "Cortex-A520"},
    {0x41, 0xd81, "Cortex-A720"}, {0x41, 0xd82, "Cortex-X4"},   {0x41, 0xd84, "Neoverse-V3"},
    {0x41, 0xd8e, "Neoverse-N3"}, {0x61, 0x022, "Apple M1"},    {0x61, 0x023, "Apple M1"},
    {0x61, 0x032, "Apple M2"},    {0x61, 0x033, "Apple M2"},    {0xc0, 0xac3, "Ampere-1"},
    {0xc0, 0xac4, "Ampere-1A"},
};

const char *pi_cpu_feature_name(unsigned bit) {
    return bit < sizeof NAMES / sizeof *NAMES ? NAMES[bit] : NULL;
}

/* Implementer and part of a main ID register; variant and revision do not count. */
static unsigned long kind_of(unsigned long midr) { return midr & 0xff00fff0ul; }

/* Appends the name of one kind of core, or its numbers. */
static void append_name(char *name, unsigned long kind) {
    const unsigned implementer = (unsigned)(kind >> 24 & 0xff);
    const unsigned part = (unsigned)(kind >> 4 & 0xfff);
    const size_t used = strlen(name);
    const char *plus = used > 0 ? " + " : "";
    for (size_t i = 0; i < sizeof CORES / sizeof *CORES; i++) {
        if (CORES[i].implementer == implementer && CORES[i].part == part) {
            snprintf(name + used, PI_CPU_NAME_BYTES - used, "%s%s", plus, CORES[i].name);
            return;
        }
    }
    snprintf(name + used, PI_CPU_NAME_BYTES - used, "%sARM implementer 0x%x part 0x%x", plus,
             implementer, part);
}

static bool read_midr(unsigned cpu, unsigned long *midr) {
    char path[sizeof MIDR_PATH + 16];
    snprintf(path, sizeof path, MIDR_PATH, cpu);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return false;
    }
    const bool found = fscanf(file, "%lx", midr) == 1;
    fclose(file);
    return found;
}

/* Kinds of cores in the order of CPUs, each once; 0 where the system does not tell. */
static size_t find_kinds(unsigned long kinds[MAX_KINDS], bool readable) {
    size_t count = 0;
    unsigned long midr;
    for (unsigned cpu = 0; cpu < MAX_CPUS && read_midr(cpu, &midr); cpu++) {
        bool is_new = count < MAX_KINDS;
        for (size_t i = 0; i < count; i++) {
            is_new = is_new && kinds[i] != kind_of(midr);
        }
        if (is_new) {
            kinds[count++] = kind_of(midr);
        }
    }
    if (count == 0 && readable) {
        __asm__("mrs %0, MIDR_EL1" : "=r"(midr));
        kinds[count++] = kind_of(midr);
    }
    return count;
}

uint32_t pi_cpu_features(void) {
    const unsigned long has = getauxval(AT_HWCAP);
    uint32_t found = has & HAS_ASIMD ? PI_ARM_ASIMD : 0;
    found |= has & HAS_DOTPROD ? PI_ARM_DOTPROD : 0;
    found |= getauxval(AT_HWCAP2) & HAS2_I8MM ? PI_ARM_I8MM : 0;
    return found;
}

void pi_cpu_name(char name[PI_CPU_NAME_BYTES]) {
    unsigned long kinds[MAX_KINDS];
    const size_t count = find_kinds(kinds, (getauxval(AT_HWCAP) & HAS_CPUID) != 0);
    name[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        append_name(name, kinds[i]);
    }
}
