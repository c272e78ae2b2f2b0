#define _GNU_SOURCE
#include "pyinfer/runtime.h"
#include "runtime/os.h"
#include <signal.h>
#include <sys/mman.h>

#define MIN_PAGE ((size_t)4096)

/* A page of a mapped file that somebody has cut short raises SIGBUS, which would end the process.
 * The handler puts zeros in place of the rest of the mapping and makes a note of it; the access is
 * then repeated. Signals that are about other memory go to whoever had the handler before. */
#define MAX_MAPPED 256

typedef struct {
    _Atomic uintptr_t start; /* 0: free */
    _Atomic size_t bytes;
    _Atomic bool lost;
} mapped_file;

static mapped_file mapped_files[MAX_MAPPED];
static struct sigaction bus_before;

static mapped_file *mapped_at(uintptr_t address) {
    for (size_t i = 0; i < MAX_MAPPED; i++) {
        const uintptr_t start = atomic_load(&mapped_files[i].start);
        if (start != 0 && address >= start && address - start < mapped_files[i].bytes) {
            return &mapped_files[i];
        }
    }
    return NULL;
}

static void on_bus_error(int number, siginfo_t *info, void *context) {
    const uintptr_t address = (uintptr_t)info->si_addr;
    mapped_file *file = mapped_at(address);
    if (file != NULL) {
        const uintptr_t page = address & ~(uintptr_t)(MIN_PAGE - 1);
        const size_t rest = file->start + pi_round_up(file->bytes, MIN_PAGE) - page;
        if (mmap((void *)page, rest, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) !=
            MAP_FAILED) {
            atomic_store(&file->lost, true);
            return;
        }
    }
    if (bus_before.sa_flags & SA_SIGINFO) {
        bus_before.sa_sigaction(number, info, context);
    } else if (bus_before.sa_handler == SIG_DFL || bus_before.sa_handler == SIG_IGN) {
        sigaction(SIGBUS, &bus_before, NULL); /* the access is repeated and ends the process */
    } else {
        bus_before.sa_handler(number);
    }
}

/* Files are mapped by one thread at a time. */
bool pi_os_guard(void *memory, size_t bytes) {
    struct sigaction now;
    if (sigaction(SIGBUS, NULL, &now) != 0) {
        return false;
    }
    if (!(now.sa_flags & SA_SIGINFO) || now.sa_sigaction != on_bus_error) {
        bus_before = now;
        struct sigaction own = {.sa_sigaction = on_bus_error,
                                .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
        sigemptyset(&own.sa_mask);
        if (sigaction(SIGBUS, &own, NULL) != 0) {
            return false;
        }
    }
    for (size_t i = 0; i < MAX_MAPPED; i++) {
        if (mapped_files[i].start == 0) {
            mapped_files[i].bytes = bytes;
            mapped_files[i].lost = false;
            atomic_store(&mapped_files[i].start, (uintptr_t)memory);
            return true;
        }
    }
    return false;
}

bool pi_memory_lost(const void *memory) {
    const mapped_file *file = mapped_at((uintptr_t)memory);
    return file != NULL && file->lost;
}

void pi_os_unguard(void *memory) {
    mapped_file *file = mapped_at((uintptr_t)memory);
    if (file != NULL && file->start == (uintptr_t)memory) {
        atomic_store(&file->start, 0);
    }
}
