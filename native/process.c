/* A process's beginning, children and end. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tracer.h"

/* ---- beginning ---- */

static void on_exit_status(int status, void *unused)
{
    (void)unused;
    hw_finish(HW_END_EXIT, (uint32_t)status & 0xff);
}

/* In the child, before fork returns: only this thread lives, and the file is the parent's. */
static void in_child(void)
{
    uint64_t parent_start = hw.header != NULL ? hw.header->start_ns : 0;
    if (hw.header == NULL)
        return;
    uint32_t parent_slot = hw_self.slot != NULL ? hw_self.index : HW_NOBODY;
    uint32_t parent_flags = hw.header->flags, version = hw.header->python_version;
    uint32_t gil = hw_self.slot != NULL ? hw_self.slot->holds : 0;
    char python_text[sizeof hw.header->python_text];
    memcpy(python_text, hw.header->python_text, sizeof python_text);
    bool was_busy = hw_self.busy;
    hw_self.busy = true;
    hw_self.slot = NULL;
    hw_self.shared = 0;
    hw_self.chunk = NULL;
    hw_self.vfork_pid = 0;
    hw_file_after_fork();
    hw_stack_after_fork();
    hw_order_after_fork();
    hw_unit_after_fork();
    hw_pool_after_fork();
    hw_multiprocessing_pool_after_fork();
    hw_own_pool_after_fork();
    hw_private_reset();
    hw_file_leave();
    /* A shallow process's child is shallow too, and is not worth a file until it execs. */
    if (!hw.on || !hw_file_open()) {
        hw.on = false;
        hw_self.busy = was_busy;
        return;
    }
    hw.header->parent_start_ns = parent_start;
    hw.header->parent_slot = parent_slot;
    hw.header->python_version = version;
    memcpy(hw.header->python_text, python_text, sizeof python_text);
    __atomic_fetch_or(&hw.header->flags,
                      HW_FLAG_FORKED | (parent_flags & (HW_FLAG_PYTHON | HW_FLAG_PYPY |
                                                        HW_FLAG_FREE_THREADED | HW_FLAG_STACKS |
                                                        HW_FLAG_TASKS)),
                      __ATOMIC_RELAXED);
    __atomic_fetch_or(&hw.header->flags,
                      parent_flags & (HW_FLAG_HANDLERS | HW_FLAG_ON_SIGNAL | HW_FLAG_CHILDREN_IGNORED),
                      __ATOMIC_RELAXED); /* they are inherited */
    hw_thread_first();
    gil = hw_gil_after_fork(gil);
    if (hw_self.slot != NULL && gil != 0) {
        hw_self.slot->kind = HW_PYTHON;
        hw_self.slot->now_a = gil - 1;
        hw_self.slot->holds = gil;
        hw_self.slot->hold_since_ns = hw_self.slot->since_ns;
        hw_self.slot->flags |= HW_THREAD_PYTHON;
    }
    hw_self.busy = was_busy;
}

__attribute__((constructor(102))) static void start(void)
{
    int saved = errno;
    hw_real_resolve();
    if (getenv("HEADWAY_TRACE_DIR") != NULL) {
        hw_self.busy = true;
        hw_python_find();
        hw.on = hw_python_present();
        bool traced = hw_file_open();
        if (traced && hw_python_present()) {
            hw_stack_init();
            hw_lock_init();
            hw_agent_find();
            hw_python_find(); /* again: now there is a header to write the flags to */
            hw_thread_first();
            hw_signals_start();
        }
        if (traced) {
            pthread_atfork(NULL, NULL, in_child);
            on_exit(on_exit_status, NULL);
        }
        hw_self.busy = false;
    }
    errno = saved;
}

/* ---- children ---- */

/* The interpreter forks, and starts others, in a call from Python: the frames of the calling thread do not change. In
 * the child of a vfork its thread and its memory are the parent's. */
static void made_child(struct hw_thread *t, pid_t pid, enum hw_child how)
{
    if (t != NULL && pid > 0 && t == hw_self.slot && !hw_self.busy) {
        hw_self.busy = true;
        uint64_t now = hw_now();
        hw_beside(t, now, now, HW_CHILD, (uint32_t)pid, hw_stack(HW_DEPTH), how, 0);
        hw_out();
    }
}

EXPORT pid_t fork(void)
{
    struct hw_thread *t = hw_self.slot;
    pid_t pid = REAL(fork)();
    made_child(t, pid, HW_CHILD_FORK);
    return pid;
}

EXPORT pid_t forkpty(int *fd, char *name, const struct termios *term, const struct winsize *size)
{
    struct hw_thread *t = hw_self.slot;
    pid_t pid = REAL(forkpty)(fd, name, term, size);
    made_child(t, pid, HW_CHILD_FORK);
    return pid;
}

#define SPAWN(name)                                                                                                \
    EXPORT int name(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,                       \
                    const posix_spawnattr_t *attr, char *const argv[], char *const envp[])                         \
    {                                                                                                              \
        pid_t made = 0;                                                                                            \
        struct hw_thread *t = hw_block(HW_PROCESS, 0, 0, false);                                                   \
        int r = REAL(name)(pid != NULL ? pid : &made, path, actions, attr, argv, envp);                            \
        hw_unblock(t);                                                                                             \
        if (r == 0)                                                                                                \
            made_child(t, pid != NULL ? *pid : made, HW_CHILD_SPAWN);                                              \
        return r;                                                                                                  \
    }
SPAWN(posix_spawn)
SPAWN(posix_spawnp)

/* The child of a vfork runs in its parent's memory: it writes to the parent's thread, which is stopped meanwhile. */
static bool before_exec(void)
{
    if (hw.header == NULL)
        return false;
    int pid = (int)getpid();
    if (pid == hw.pid) {
        hw_finish(HW_END_EXEC, 0);
        return true;
    }
    if (hw_self.vfork_pid != pid) {
        hw_self.vfork_pid = pid;
        made_child(hw_self.slot, pid, HW_CHILD_SPAWN);
    }
    return false;
}

#define EXEC(name, params, args)        \
    EXPORT int name params              \
    {                                   \
        bool finished = before_exec();  \
        int r = REAL(name) args;        \
        int saved = errno;              \
        if (finished)                   \
            hw_unfinish();              \
        errno = saved;                  \
        return r;                       \
    }
EXEC(execve, (const char *path, char *const argv[], char *const envp[]), (path, argv, envp))
EXEC(execv, (const char *path, char *const argv[]), (path, argv))
EXEC(execvp, (const char *path, char *const argv[]), (path, argv))
EXEC(execvpe, (const char *path, char *const argv[], char *const envp[]), (path, argv, envp))
EXEC(fexecve, (int fd, char *const argv[], char *const envp[]), (fd, argv, envp))

/* `cpu_ns`: what the child used, and those that it has waited for; 0 if that is not known. */
static void reaped(struct hw_thread *t, pid_t pid, int status, uint64_t cpu_ns)
{
    if (t != NULL && pid > 0 && t == hw_self.slot && !hw_self.busy) {
        hw_self.busy = true;
        uint64_t now = hw_now();
        hw_beside(t, now, now, HW_REAPED, (uint32_t)pid, (uint32_t)status, (uint32_t)cpu_ns, (uint32_t)(cpu_ns >> 32));
        hw_out();
    }
}

static uint64_t nanoseconds(struct timeval t)
{
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_usec * 1000u;
}

/* All are wait4, as in libc, since the kernel's figures are wanted, too. */
static pid_t wait_for(pid_t pid, int *status, int options, struct rusage *usage)
{
    int here = 0;
    struct rusage used = {0};
    if (status == NULL)
        status = &here;
    if (usage == NULL)
        usage = &used;
    struct hw_thread *t = hw_block(HW_PROCESS, (uint32_t)pid, 0, !(options & WNOHANG));
    pid_t r = hw_interrupted(t) ? (errno = EINTR, -1) : REAL(wait4)(pid, status, options, usage);
    hw_unblock(t);
    if (r > 0 && (WIFEXITED(*status) || WIFSIGNALED(*status)))
        reaped(t, r, *status, nanoseconds(usage->ru_utime) + nanoseconds(usage->ru_stime));
    return r;
}

EXPORT pid_t wait(int *status) { return wait_for(-1, status, 0, NULL); }
EXPORT pid_t waitpid(pid_t pid, int *status, int options) { return wait_for(pid, status, options, NULL); }
EXPORT pid_t wait3(int *status, int options, struct rusage *usage) { return wait_for(-1, status, options, usage); }
EXPORT pid_t wait4(pid_t pid, int *status, int options, struct rusage *usage)
{
    return wait_for(pid, status, options, usage);
}

EXPORT int waitid(idtype_t type, id_t id, siginfo_t *info, int options)
{
    struct hw_thread *t = hw_block(HW_PROCESS, type == P_PID ? (uint32_t)id : 0, 0, !(options & WNOHANG));
    int r = hw_interrupted(t) ? (errno = EINTR, -1) : REAL(waitid)(type, id, info, options);
    hw_unblock(t);
    if (r == 0 && info != NULL && info->si_pid > 0 && !(options & WNOWAIT) &&
        (info->si_code == CLD_EXITED || info->si_code == CLD_KILLED || info->si_code == CLD_DUMPED))
        reaped(t, info->si_pid, info->si_code == CLD_EXITED ? info->si_status << 8 : info->si_status, 0);
    return r;
}

/* ---- end ---- */

/* For `headway.record`, which judges a block while the program goes on: at its beginning and end. The caller has the GIL. */
EXPORT void headway_flush(void)
{
    struct hw_thread *t = hw_in();
    if (t != NULL) {
        hw_unit_flush_long(t);
        hw_order_begin();
        hw_out();
    }
}

/* Records what can still be read of this process: it is about to end, or to become another image. */
void hw_finish(enum hw_end end, uint32_t exit_code)
{
    struct hw_header *h = hw.header;
    if (h == NULL || h->end_ns != 0 || (int)getpid() != hw.pid)
        return;
    int saved = errno;
    bool was_busy = hw_self.busy;
    hw_self.busy = true;
    uint64_t now = hw_now();
    if (hw.on && hw_self.slot != NULL && !was_busy) {
        struct hw_thread *t = hw_self.slot;
        hw_close(t, now); /* the same state goes on, in case that the process does */
        hw_checkpoint(t, now);
        hw_flush_holds(t);
        hw_unit_flush_long(t);
    }
    if (hw.on) {
        uint32_t n = PEEK(&h->sections[HW_SECTION_THREADS].count);
        for (uint32_t i = 0; i < n; i++) {
            struct hw_thread *t = hw_entry(HW_SECTION_THREADS, i);
            if (!LOAD(&t->ready) || t->end_ns != 0 || t->tid == 0)
                continue;
            char path[64] = "/proc/self/task/", digits[12];
            int at = 16, k = 0;
            for (uint32_t v = t->tid; v != 0; v /= 10)
                digits[k++] = (char)('0' + v % 10);
            while (k > 0)
                path[at++] = digits[--k];
            memcpy(path + at, "/schedstat", 11);
            t->end_cpu_ns = hw_clock_ns(hw_thread_clock(t->tid));
            t->end_run_delay_ns = hw_run_delay(path);
            if (t->end_cpu_ns != 0)
                __atomic_fetch_or(&t->flags, HW_THREAD_CPU_AT_END, __ATOMIC_RELAXED);
        }
    }
    h->cpu_ns = hw_clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    h->exit_code = exit_code;
    h->end = end;
    STORE(&h->end_ns, now);
    hw_self.busy = was_busy;
    errno = saved;
}

/* exec failed: the process goes on. */
void hw_unfinish(void)
{
    if (hw.header == NULL || (int)getpid() != hw.pid)
        return;
    uint32_t n = hw.on ? PEEK(&hw.header->sections[HW_SECTION_THREADS].count) : 0;
    for (uint32_t i = 0; i < n; i++) {
        struct hw_thread *t = hw_entry(HW_SECTION_THREADS, i);
        __atomic_fetch_and(&t->flags, ~HW_THREAD_CPU_AT_END, __ATOMIC_RELAXED);
    }
    hw.header->end = HW_END_NONE;
    hw.header->cpu_ns = 0;
    STORE(&hw.header->end_ns, 0);
}

EXPORT __attribute__((noreturn)) void _exit(int status)
{
    hw_finish(HW_END_QUICK, (uint32_t)status & 0xff);
    REAL(_exit)(status);
    __builtin_unreachable();
}

EXPORT __attribute__((noreturn)) void _Exit(int status)
{
    hw_finish(HW_END_QUICK, (uint32_t)status & 0xff);
    REAL(_Exit)(status);
    __builtin_unreachable();
}

EXPORT __attribute__((noreturn)) void abort(void)
{
    hw_finish(HW_END_ABORT, 0);
    REAL(abort)();
    __builtin_unreachable();
}
