#define _GNU_SOURCE
#include "runtime/os.h"
#include "pyinfer/runtime.h"
#include <errno.h>
#include <fcntl.h>
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

void pi_os_yield(void) { sched_yield(); }

uint64_t pi_os_now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

int64_t pi_os_process_id(void) { return getpid(); }

bool pi_file_read(int32_t fd, uint64_t offset, uint8_t *out, size_t bytes, size_t *done,
                  int32_t *error) {
    *done = 0;
    *error = 0;
    while (*done < bytes) {
        const ssize_t n = pread(fd, out + *done, bytes - *done, (off_t)(offset + *done));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            *error = n < 0 ? errno : 0;
            return false;
        }
        *done += (size_t)n;
    }
    return true;
}

void pi_file_read_ahead(int32_t fd, uint64_t offset, size_t bytes) {
    posix_fadvise(fd, (off_t)offset, (off_t)bytes, POSIX_FADV_WILLNEED);
}

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
static uint8_t *reserve(size_t bytes, int protection) {
    if (bytes == 0 || bytes > SIZE_MAX - 2 * HUGE_PAGE) {
        return NULL;
    }
    const size_t size = pi_round_up(bytes, HUGE_PAGE);
    uint8_t *raw = mmap(NULL, size + HUGE_PAGE, protection,
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
    return raw + head;
}

void *pi_memory_map(size_t bytes) {
    uint8_t *memory = reserve(bytes, PROT_READ | PROT_WRITE);
    if (memory != NULL) {
        madvise(memory, pi_round_up(bytes, HUGE_PAGE), MADV_HUGEPAGE); /* refused: slower only */
    }
    return memory;
}

/* The address is aligned as the file offset is, so that huge pages of the page cache can be mapped
 * as such. */
void *pi_memory_map_file(int32_t fd, uint64_t offset, size_t bytes) {
    uint8_t *memory = reserve(bytes, PROT_NONE);
    if (memory == NULL) {
        return NULL;
    }
    if (mmap(memory, bytes, PROT_READ, MAP_SHARED | MAP_FIXED, fd, (off_t)offset) == MAP_FAILED) {
        pi_memory_unmap(memory, bytes);
        return NULL;
    }
    madvise(memory, bytes, MADV_HUGEPAGE);
    if (!pi_os_guard(memory, bytes)) {
        pi_memory_unmap(memory, bytes);
        return NULL;
    }
    return memory;
}

void pi_memory_unmap(void *memory, size_t bytes) {
    if (memory != NULL) {
        pi_os_unguard(memory);
        munmap(memory, pi_round_up(bytes, HUGE_PAGE));
    }
}
