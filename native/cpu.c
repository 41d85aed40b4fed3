/* The CPU clock of a thread, and how much of its running time was not spent on a core. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tracer.h"

#define ASK_NS 10000000u    /* schedstat is three system calls, 8 us: after them a window is this long, or ends with an
                             * interval of HW_ALONE_NS */
#define REBASE_NS 20000000u /* and it is asked so often at least */

uint64_t hw_clock_ns(clockid_t clock)
{
    struct timespec t;
    return clock_gettime(clock, &t) == 0 ? (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec : 0;
}

/* The CPU clock of any thread of this process; as pthread_getcpuclockid makes it. */
clockid_t hw_thread_clock(uint32_t tid)
{
    return (clockid_t)((~tid) << 3 | 6); /* CPUCLOCK_PERTHREAD_MASK | CPUCLOCK_SCHED, linux/posix-timers.h */
}

/* Second number of schedstat: ns spent waiting on a run queue. */
uint64_t hw_run_delay(const char *path)
{
    char text[96];
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0)
        return 0;
    long n = syscall(SYS_read, fd, text, sizeof text - 1);
    syscall(SYS_close, fd);
    if (n <= 0)
        return 0;
    text[n] = 0;
    const char *second = strchr(text, ' ');
    return second != NULL ? strtoull(second, NULL, 10) : 0;
}

/* Compares the running time since the last checkpoint with the CPU clock. What is missing was spent off the core:
 * on a run queue, says the kernel, or for a reason that no hook saw. CPU that was used inside blocking calls makes
 * this an underestimate, never an overestimate. */
void hw_checkpoint(struct hw_thread *t, uint64_t now)
{
    int saved = errno;
    uint64_t cpu = hw_clock_ns(CLOCK_THREAD_CPUTIME_ID);
    uint64_t ran = t->window_run_ns[0] + t->window_run_ns[1];
    uint64_t on = cpu - t->cpu_ns;
    bool away = ran > on && ran - on > HW_OFFCPU_NS;
    uint64_t delay = 0;
    /* Also now and then without need: the delays of waking up belong to the waits before, not to the next window. */
    if (away || now - hw_self.delay_at_ns > REBASE_NS) {
        delay = hw_run_delay("/proc/thread-self/schedstat");
        hw_self.delay_at_ns = now;
    }
    if (away) {
        uint64_t off = ran - on;
        hw_self.check_at_ns = now + ASK_NS;
        uint64_t ready = delay > t->run_delay_ns ? delay - t->run_delay_ns : 0;
        if (ready > off)
            ready = off;
        uint64_t other = off - ready;
        uint64_t ready_python = (uint64_t)((double)ready * (double)t->window_run_ns[0] / (double)ran);
        uint64_t other_python = (uint64_t)((double)other * (double)t->window_run_ns[0] / (double)ran);
        t->ready_cpu_ns[0] += ready_python;
        t->ready_cpu_ns[1] += ready - ready_python;
        t->off_other_ns[0] += other_python;
        t->off_other_ns[1] += other - other_python;
        hw_beside(t, t->cpu_at_ns, now, HW_OFFCPU, (uint32_t)ready, (uint32_t)(ready >> 32), (uint32_t)other,
                  (uint32_t)(other >> 32));
    }
    if (delay)
        t->run_delay_ns = delay;
    t->cpu_ns = cpu;
    t->cpu_at_ns = now;
    t->window_run_ns[0] = t->window_run_ns[1] = 0;
    errno = saved;
}
