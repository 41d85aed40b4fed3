/* Calls that block: input and output, sleeps, waits for signals and threads. */
#define _GNU_SOURCE
#include <stdarg.h>
#include <string.h>
#include <sys/file.h>

#include "tracer.h"

/* fd and operation go into a record's a and c. A read that may last has its stack taken first: a thread that never
 * comes back shows where it is. After a short one the next is assumed to be short too. */
static inline struct hw_thread *io_begin(int fd, enum hw_io op, bool may_last)
{
    return hw_block(HW_IO, (uint32_t)fd, op, may_last);
}

static inline bool reads_last(void)
{
    return hw_self.io_was_long;
}

static inline void io_end(struct hw_thread *t)
{
    if (t != NULL && t == hw_self.slot)
        hw_self.io_was_long = false;
    uint64_t began = t != NULL ? t->since_ns : 0;
    hw_unblock(t);
    if (t != NULL && t == hw_self.slot && t->since_ns - began >= hw.stack_threshold_ns)
        hw_self.io_was_long = true;
}

#define IO(ret, name, params, args, fd, op, may_last)     \
    EXPORT ret name params                                \
    {                                                     \
        struct hw_thread *t = io_begin(fd, op, may_last); \
        ret r;                                            \
        if (hw_interrupted(t)) {                           \
            errno = EINTR;                                \
            r = -1;                                       \
        } else {                                          \
            r = REAL(name) args;                          \
        }                                                 \
        io_end(t);                                        \
        return r;                                         \
    }

IO(ssize_t, read, (int fd, void *buf, size_t n), (fd, buf, n), fd, HW_IO_READ, reads_last())
IO(ssize_t, pread, (int fd, void *buf, size_t n, off_t at), (fd, buf, n, at), fd, HW_IO_READ, false)
IO(ssize_t, pread64, (int fd, void *buf, size_t n, off64_t at), (fd, buf, n, at), fd, HW_IO_READ, false)
IO(ssize_t, readv, (int fd, const struct iovec *v, int n), (fd, v, n), fd, HW_IO_READ, reads_last())
IO(ssize_t, recv, (int fd, void *buf, size_t n, int flags), (fd, buf, n, flags), fd, HW_IO_READ, reads_last())
IO(ssize_t, recvfrom, (int fd, void *buf, size_t n, int flags, struct sockaddr *from, socklen_t *len),
   (fd, buf, n, flags, from, len), fd, HW_IO_READ, reads_last())
IO(ssize_t, recvmsg, (int fd, struct msghdr *msg, int flags), (fd, msg, flags), fd, HW_IO_READ, reads_last())
IO(ssize_t, __read_chk, (int fd, void *buf, size_t n, size_t size), (fd, buf, n, size), fd, HW_IO_READ, reads_last())
IO(ssize_t, __pread_chk, (int fd, void *buf, size_t n, off_t at, size_t size), (fd, buf, n, at, size), fd, HW_IO_READ,
   false)
IO(ssize_t, __pread64_chk, (int fd, void *buf, size_t n, off64_t at, size_t size), (fd, buf, n, at, size), fd,
   HW_IO_READ, false)
IO(ssize_t, __recv_chk, (int fd, void *buf, size_t n, size_t size, int flags), (fd, buf, n, size, flags), fd,
   HW_IO_READ, reads_last())
IO(ssize_t, __recvfrom_chk,
   (int fd, void *buf, size_t n, size_t size, int flags, struct sockaddr *from, socklen_t *len),
   (fd, buf, n, size, flags, from, len), fd, HW_IO_READ, reads_last())
IO(ssize_t, write, (int fd, const void *buf, size_t n), (fd, buf, n), fd, HW_IO_WRITE, reads_last())
IO(ssize_t, pwrite, (int fd, const void *buf, size_t n, off_t at), (fd, buf, n, at), fd, HW_IO_WRITE, false)
IO(ssize_t, pwrite64, (int fd, const void *buf, size_t n, off64_t at), (fd, buf, n, at), fd, HW_IO_WRITE, false)
IO(ssize_t, writev, (int fd, const struct iovec *v, int n), (fd, v, n), fd, HW_IO_WRITE, reads_last())
IO(ssize_t, send, (int fd, const void *buf, size_t n, int flags), (fd, buf, n, flags), fd, HW_IO_WRITE, reads_last())
IO(ssize_t, sendto, (int fd, const void *buf, size_t n, int flags, const struct sockaddr *to, socklen_t len),
   (fd, buf, n, flags, to, len), fd, HW_IO_WRITE, reads_last())
IO(ssize_t, sendmsg, (int fd, const struct msghdr *msg, int flags), (fd, msg, flags), fd, HW_IO_WRITE, reads_last())
IO(ssize_t, sendfile, (int out, int in, off_t *at, size_t n), (out, in, at, n), out, HW_IO_WRITE, false)
IO(ssize_t, sendfile64, (int out, int in, off64_t *at, size_t n), (out, in, at, n), out, HW_IO_WRITE, false)
IO(ssize_t, copy_file_range, (int in, off64_t *in_at, int out, off64_t *out_at, size_t n, unsigned flags),
   (in, in_at, out, out_at, n, flags), out, HW_IO_WRITE, false)
IO(ssize_t, splice, (int in, off64_t *in_at, int out, off64_t *out_at, size_t n, unsigned flags),
   (in, in_at, out, out_at, n, flags), out, HW_IO_WRITE, false)
IO(int, accept, (int fd, struct sockaddr *from, socklen_t *len), (fd, from, len), fd, HW_IO_ACCEPT, reads_last())
IO(int, accept4, (int fd, struct sockaddr *from, socklen_t *len, int flags), (fd, from, len, flags), fd, HW_IO_ACCEPT,
   reads_last())
/* No stack before: a connect that was interrupted goes on, and must not be begun again. */
IO(int, connect, (int fd, const struct sockaddr *to, socklen_t len), (fd, to, len), fd, HW_IO_CONNECT, false)
IO(int, poll, (struct pollfd * fds, nfds_t n, int timeout), (fds, n, timeout), -1, HW_IO_POLL,
   timeout != 0)
IO(int, __poll_chk, (struct pollfd * fds, nfds_t n, int timeout, size_t size), (fds, n, timeout, size),
   -1, HW_IO_POLL, timeout != 0)
IO(int, ppoll, (struct pollfd * fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask),
   (fds, n, timeout, mask), -1, HW_IO_POLL, true)
IO(int, epoll_wait, (int fd, struct epoll_event *events, int n, int timeout), (fd, events, n, timeout), fd, HW_IO_POLL,
   timeout != 0)
IO(int, epoll_pwait, (int fd, struct epoll_event *events, int n, int timeout, const sigset_t *mask),
   (fd, events, n, timeout, mask), fd, HW_IO_POLL, timeout != 0)
IO(int, fsync, (int fd), (fd), fd, HW_IO_SYNC, false)
IO(int, fdatasync, (int fd), (fd), fd, HW_IO_SYNC, false)
IO(int, tcdrain, (int fd), (fd), fd, HW_IO_SYNC, true)
IO(int, flock, (int fd, int operation), (fd, operation), fd, HW_IO_LOCK, !(operation & LOCK_NB))
IO(int, lockf, (int fd, int command, off_t n), (fd, command, n), fd, HW_IO_LOCK, command == F_LOCK)
IO(int, lockf64, (int fd, int command, off64_t n), (fd, command, n), fd, HW_IO_LOCK, command == F_LOCK)
IO(int, getaddrinfo, (const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **result),
   (node, service, hints, result), -1, HW_IO_RESOLVE, false)
IO(int, getnameinfo,
   (const struct sockaddr *address, socklen_t len, char *host, socklen_t host_len, char *service,
    socklen_t service_len, int flags),
   (address, len, host, host_len, service, service_len, flags), -1, HW_IO_RESOLVE, false)

/* ---- variadic ones ---- */

#define OPENS(flags) (((flags) & O_CREAT) || ((flags) & O_TMPFILE) == O_TMPFILE)
#define MODE(last)                        \
    mode_t mode = 0;                      \
    if (OPENS(flags)) {                   \
        va_list args;                     \
        va_start(args, last);             \
        mode = va_arg(args, mode_t);      \
        va_end(args);                     \
    }

#define OPEN(name, params, args)                               \
    EXPORT int name params                                     \
    {                                                          \
        MODE(flags)                                            \
        struct hw_thread *t = io_begin(-1, HW_IO_OPEN, false); \
        int r = REAL(name) args;                               \
        io_end(t);                                             \
        return r;                                              \
    }
OPEN(open, (const char *path, int flags, ...), (path, flags, mode))
OPEN(open64, (const char *path, int flags, ...), (path, flags, mode))
OPEN(openat, (int dir, const char *path, int flags, ...), (dir, path, flags, mode))
OPEN(openat64, (int dir, const char *path, int flags, ...), (dir, path, flags, mode))

/* Only the commands that wait for a lock block. The third argument, if any, is a word. */
#define FCNTL(name)                                                                            \
    EXPORT int name(int fd, int command, ...)                                                  \
    {                                                                                          \
        va_list args;                                                                          \
        va_start(args, command);                                                               \
        void *arg = va_arg(args, void *);                                                      \
        va_end(args);                                                                          \
        if (command != F_SETLKW && command != F_OFD_SETLKW)                                    \
            return REAL(name)(fd, command, arg);                                               \
        struct hw_thread *t = io_begin(fd, HW_IO_LOCK, true);                                  \
        int r = REAL(name)(fd, command, arg);                                                  \
        io_end(t);                                                                             \
        return r;                                                                              \
    }
FCNTL(fcntl)
FCNTL(fcntl64)

/* ---- select: with no descriptors it is a sleep ---- */

EXPORT int select(int n, fd_set *r, fd_set *w, fd_set *x, struct timeval *timeout)
{
    struct hw_thread *t = n == 0 ? hw_block(HW_SLEEP, 0, 0, true) : io_begin(-1, HW_IO_POLL, true);
    int result = hw_interrupted(t) ? (errno = EINTR, -1) : REAL(select)(n, r, w, x, timeout);
    hw_unblock(t);
    return result;
}

EXPORT int pselect(int n, fd_set *r, fd_set *w, fd_set *x, const struct timespec *timeout, const sigset_t *mask)
{
    struct hw_thread *t = n == 0 ? hw_block(HW_SLEEP, 0, 0, true) : io_begin(-1, HW_IO_POLL, true);
    int result = hw_interrupted(t) ? (errno = EINTR, -1) : REAL(pselect)(n, r, w, x, timeout, mask);
    hw_unblock(t);
    return result;
}

/* ---- sleeps, signals, threads ---- */

/* `interrupted`: what it returns after a signal; a call that no signal may end takes its stack afterwards. */
#define BLOCK(ret, name, params, args, kind, a, walk, interrupted) \
    EXPORT ret name params                                         \
    {                                                              \
        struct hw_thread *t = hw_block(kind, a, 0, walk);          \
        ret r = hw_interrupted(t) ? interrupted : REAL(name) args;  \
        hw_unblock(t);                                             \
        return r;                                                  \
    }
#define FAILS (errno = EINTR, -1)

/* A sleep that is asked to last shorter than the threshold needs no stack. */
static bool lasts(const struct timespec *time, clockid_t clock, int flags)
{
    struct timespec now = {0, 0};
    if (!hw.on || time == NULL)
        return false;
    if (flags & TIMER_ABSTIME)
        clock_gettime(clock, &now);
    int64_t ns = (int64_t)(time->tv_sec - now.tv_sec) * 1000000000 + (time->tv_nsec - now.tv_nsec);
    return ns >= (int64_t)hw.stack_threshold_ns;
}

BLOCK(int, nanosleep, (const struct timespec *time, struct timespec *left), (time, left), HW_SLEEP, 0,
      lasts(time, CLOCK_MONOTONIC, 0), FAILS)
BLOCK(int, clock_nanosleep, (clockid_t clock, int flags, const struct timespec *time, struct timespec *left),
      (clock, flags, time, left), HW_SLEEP, 0, lasts(time, clock, flags), EINTR)
BLOCK(int, usleep, (useconds_t us), (us), HW_SLEEP, 0, true, FAILS)
BLOCK(unsigned, sleep, (unsigned seconds), (seconds), HW_SLEEP, 0, true, seconds)
BLOCK(int, pause, (void), (), HW_OTHER, 0, true, FAILS)
BLOCK(int, sigsuspend, (const sigset_t *mask), (mask), HW_OTHER, 0, true, FAILS)
BLOCK(int, sigwait, (const sigset_t *set, int *signal), (set, signal), HW_OTHER, 0, false, EINTR)
BLOCK(int, sigwaitinfo, (const sigset_t *set, siginfo_t *info), (set, info), HW_OTHER, 0, true, FAILS)
BLOCK(int, sigtimedwait, (const sigset_t *set, siginfo_t *info, const struct timespec *timeout), (set, info, timeout),
      HW_OTHER, 0, true, FAILS)
BLOCK(int, pthread_join, (pthread_t thread, void **result), (thread, result), HW_JOIN, HW_NOBODY, false, 0)
BLOCK(int, pthread_timedjoin_np, (pthread_t thread, void **result, const struct timespec *deadline),
      (thread, result, deadline), HW_JOIN, HW_NOBODY, false, 0)
BLOCK(int, pthread_clockjoin_np, (pthread_t thread, void **result, clockid_t clock, const struct timespec *deadline),
      (thread, result, clock, deadline), HW_JOIN, HW_NOBODY, false, 0)
