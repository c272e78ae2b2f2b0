/* The operating system in one place: futex, memory maps, CPU count, clock. Linux only. */
#ifndef PYINFER_RUNTIME_OS_H
#define PYINFER_RUNTIME_OS_H

#include "pyinfer/types.h"
#include <stdatomic.h>

/* Sleeps while *word == expected. May return early. */
void pi_os_wait(_Atomic uint32_t *word, uint32_t expected);
void pi_os_wake_all(_Atomic uint32_t *word);
/* Lets another thread that waits for this CPU run; returns at once if there is none. */
void pi_os_yield(void);
uint64_t pi_os_now_ns(void);
int64_t pi_os_process_id(void);
/* Keeps the process alive if a mapped file is cut short; see bus_guard.c. False if that is not
 * possible. */
bool pi_os_guard(void *memory, size_t bytes);
void pi_os_unguard(void *memory);

PI_INLINE void pi_os_relax(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    /* `yield` does nothing on most cores; refilling the pipeline takes about as long as a pause. */
    __asm__ volatile("isb" : : : "memory");
#endif
}

#endif
