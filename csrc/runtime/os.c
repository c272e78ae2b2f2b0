#define _GNU_SOURCE
#include "runtime/os.h"
#include "pyinfer/runtime.h"
#include <linux/futex.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define HUGE_PAGE ((size_t)2 << 20)

void pi_os_wait(_Atomic uint32_t *word, uint32_t expected) {
    syscall(SYS_futex, (uint32_t *)word, FUTEX_WAIT_PRIVATE, expected, NULL, NULL, 0);
}

void pi_os_wake_all(_Atomic uint32_t *word) {
    syscall(SYS_futex, (uint32_t *)word, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL, 0);
}

uint64_t pi_os_now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

int64_t pi_os_process_id(void) { return getpid(); }

size_t pi_cpu_count(void) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0) {
        const long online = sysconf(_SC_NPROCESSORS_ONLN);
        return online > 0 ? (size_t)online : 1;
    }
    const int count = CPU_COUNT(&set);
    return count > 0 ? (size_t)count : 1;
}

/* The mapping starts up to 2 MiB before the returned address; the two trimmed ends go back at
 * once, so unmapping needs the rounded size only. */
void *pi_memory_map(size_t bytes) {
    if (bytes == 0 || bytes > SIZE_MAX - 2 * HUGE_PAGE) {
        return NULL;
    }
    const size_t size = pi_round_up(bytes, HUGE_PAGE);
    uint8_t *raw = mmap(NULL, size + HUGE_PAGE, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (raw == MAP_FAILED) {
        return NULL;
    }
    const size_t head = pi_round_up((size_t)(uintptr_t)raw, HUGE_PAGE) - (size_t)(uintptr_t)raw;
    if (head > 0) {
        munmap(raw, head);
    }
    if (head < HUGE_PAGE) {
        munmap(raw + head + size, HUGE_PAGE - head);
    }
    madvise(raw + head, size, MADV_HUGEPAGE); /* a refusal costs speed only */
    return raw + head;
}

void pi_memory_unmap(void *memory, size_t bytes) {
    if (memory != NULL) {
        munmap(memory, pi_round_up(bytes, HUGE_PAGE));
    }
}
