/* An architecture of which nothing is known. */
#include "pyinfer/cpu.h"

uint32_t pi_cpu_features(void) { return 0; }

void pi_cpu_name(char name[PI_CPU_NAME_BYTES]) { name[0] = '\0'; }

const char *pi_cpu_feature_name(unsigned bit) {
    (void)bit;
    return NULL;
}
