/* Every function of libc that the tracer interposes: X(return type, name, parameters).
 *
 * `real_NAME` is the function behind it, looked up with dlsym(RTLD_NEXT) at start, or at the first call when
 * another library's constructor came first. The pthread_cond_* functions have two versions in glibc on x86-64;
 * RTLD_NEXT may give the older, which has another layout, so the newer is asked for by name.
 */
#ifndef HEADWAY_REAL_H
#define HEADWAY_REAL_H

#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define HW_REAL(X)                                                                                                \
    X(int, pthread_cond_init, (pthread_cond_t * cond, const pthread_condattr_t *attr))                            \
    X(int, pthread_cond_destroy, (pthread_cond_t * cond))                                                         \
    X(int, pthread_cond_signal, (pthread_cond_t * cond))                                                          \
    X(int, pthread_cond_wait, (pthread_cond_t * cond, pthread_mutex_t * mutex))                                   \
    X(int, pthread_cond_timedwait,                                                                                \
      (pthread_cond_t * cond, pthread_mutex_t * mutex, const struct timespec *deadline))                          \
    X(int, pthread_cond_clockwait,                                                                                \
      (pthread_cond_t * cond, pthread_mutex_t * mutex, clockid_t clock, const struct timespec *deadline))         \
    X(int, pthread_create, (pthread_t * thread, const pthread_attr_t *attr, void *(*start)(void *), void *arg))   \
    X(int, pthread_join, (pthread_t thread, void **result))                                                       \
    X(int, pthread_timedjoin_np, (pthread_t thread, void **result, const struct timespec *deadline))              \
    X(int, pthread_clockjoin_np,                                                                                  \
      (pthread_t thread, void **result, clockid_t clock, const struct timespec *deadline))                        \
    X(sem_t *, sem_open, (const char *name, int flags, ...))                                                      \
    X(int, sem_init, (sem_t * sem, int shared, unsigned value))                                                   \
    X(int, sem_destroy, (sem_t * sem))                                                                            \
    X(int, sem_wait, (sem_t * sem))                                                                               \
    X(int, sem_trywait, (sem_t * sem))                                                                            \
    X(int, sem_timedwait, (sem_t * sem, const struct timespec *deadline))                                         \
    X(int, sem_clockwait, (sem_t * sem, clockid_t clock, const struct timespec *deadline))                        \
    X(int, sem_post, (sem_t * sem))                                                                               \
    X(ssize_t, read, (int fd, void *buf, size_t n))                                                               \
    X(ssize_t, write, (int fd, const void *buf, size_t n))                                                        \
    X(ssize_t, pread, (int fd, void *buf, size_t n, off_t at))                                                    \
    X(ssize_t, pwrite, (int fd, const void *buf, size_t n, off_t at))                                             \
    X(ssize_t, pread64, (int fd, void *buf, size_t n, off64_t at))                                                \
    X(ssize_t, pwrite64, (int fd, const void *buf, size_t n, off64_t at))                                         \
    X(ssize_t, readv, (int fd, const struct iovec *v, int n))                                                     \
    X(ssize_t, writev, (int fd, const struct iovec *v, int n))                                                    \
    X(ssize_t, __read_chk, (int fd, void *buf, size_t n, size_t size))                                            \
    X(ssize_t, __pread_chk, (int fd, void *buf, size_t n, off_t at, size_t size))                                 \
    X(ssize_t, __pread64_chk, (int fd, void *buf, size_t n, off64_t at, size_t size))                             \
    X(ssize_t, __recv_chk, (int fd, void *buf, size_t n, size_t size, int flags))                                 \
    X(ssize_t, __recvfrom_chk,                                                                                    \
      (int fd, void *buf, size_t n, size_t size, int flags, struct sockaddr *from, socklen_t *len))               \
    X(int, __poll_chk, (struct pollfd * fds, nfds_t n, int timeout, size_t size))                                 \
    X(ssize_t, sendfile, (int out, int in, off_t *at, size_t n))                                                  \
    X(ssize_t, sendfile64, (int out, int in, off64_t *at, size_t n))                                              \
    X(ssize_t, copy_file_range, (int in, off64_t *in_at, int out, off64_t *out_at, size_t n, unsigned flags))     \
    X(ssize_t, splice, (int in, off64_t *in_at, int out, off64_t *out_at, size_t n, unsigned flags))              \
    X(ssize_t, send, (int fd, const void *buf, size_t n, int flags))                                              \
    X(ssize_t, sendto,                                                                                            \
      (int fd, const void *buf, size_t n, int flags, const struct sockaddr *to, socklen_t len))                   \
    X(ssize_t, sendmsg, (int fd, const struct msghdr *msg, int flags))                                            \
    X(ssize_t, recv, (int fd, void *buf, size_t n, int flags))                                                    \
    X(ssize_t, recvfrom, (int fd, void *buf, size_t n, int flags, struct sockaddr *from, socklen_t *len))         \
    X(ssize_t, recvmsg, (int fd, struct msghdr *msg, int flags))                                                  \
    X(int, accept, (int fd, struct sockaddr *from, socklen_t *len))                                               \
    X(int, accept4, (int fd, struct sockaddr *from, socklen_t *len, int flags))                                   \
    X(int, connect, (int fd, const struct sockaddr *to, socklen_t len))                                           \
    X(int, poll, (struct pollfd * fds, nfds_t n, int timeout))                                                    \
    X(int, ppoll, (struct pollfd * fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask))          \
    X(int, select, (int n, fd_set *r, fd_set *w, fd_set *x, struct timeval *timeout))                             \
    X(int, pselect,                                                                                               \
      (int n, fd_set *r, fd_set *w, fd_set *x, const struct timespec *timeout, const sigset_t *mask))             \
    X(int, epoll_wait, (int fd, struct epoll_event *events, int n, int timeout))                                  \
    X(int, epoll_pwait, (int fd, struct epoll_event *events, int n, int timeout, const sigset_t *mask))           \
    X(int, fsync, (int fd))                                                                                       \
    X(int, fdatasync, (int fd))                                                                                   \
    X(int, flock, (int fd, int operation))                                                                        \
    X(int, lockf, (int fd, int command, off_t n))                                                                 \
    X(int, lockf64, (int fd, int command, off64_t n))                                                             \
    X(int, open, (const char *path, int flags, ...))                                                              \
    X(int, open64, (const char *path, int flags, ...))                                                            \
    X(int, openat, (int dir, const char *path, int flags, ...))                                                   \
    X(int, openat64, (int dir, const char *path, int flags, ...))                                                 \
    X(int, fcntl, (int fd, int command, ...))                                                                     \
    X(int, fcntl64, (int fd, int command, ...))                                                                   \
    X(int, tcdrain, (int fd))                                                                                     \
    X(int, getaddrinfo,                                                                                           \
      (const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **result))            \
    X(int, getnameinfo,                                                                                           \
      (const struct sockaddr *address, socklen_t len, char *host, socklen_t host_len, char *service,              \
       socklen_t service_len, int flags))                                                                         \
    X(int, nanosleep, (const struct timespec *time, struct timespec *left))                                       \
    X(int, clock_nanosleep, (clockid_t clock, int flags, const struct timespec *time, struct timespec *left))     \
    X(int, usleep, (useconds_t us))                                                                               \
    X(unsigned, sleep, (unsigned seconds))                                                                        \
    X(int, pause, (void))                                                                                         \
    X(int, sigaction, (int number, const struct sigaction *action, struct sigaction *before))                     \
    X(int, sigsuspend, (const sigset_t *mask))                                                                    \
    X(int, sigwait, (const sigset_t *set, int *signal))                                                           \
    X(int, sigwaitinfo, (const sigset_t *set, siginfo_t *info))                                                   \
    X(int, sigtimedwait, (const sigset_t *set, siginfo_t *info, const struct timespec *timeout))                  \
    X(pid_t, wait4, (pid_t pid, int *status, int options, struct rusage *usage))                                  \
    X(int, waitid, (idtype_t type, id_t id, siginfo_t *info, int options))                                        \
    X(pid_t, fork, (void))                                                                                        \
    X(pid_t, forkpty, (int *fd, char *name, const struct termios *term, const struct winsize *size))              \
    X(int, posix_spawn,                                                                                           \
      (pid_t * pid, const char *path, const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attr,   \
       char *const argv[], char *const envp[]))                                                                   \
    X(int, posix_spawnp,                                                                                          \
      (pid_t * pid, const char *path, const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attr,   \
       char *const argv[], char *const envp[]))                                                                   \
    X(int, execve, (const char *path, char *const argv[], char *const envp[]))                                    \
    X(int, execv, (const char *path, char *const argv[]))                                                         \
    X(int, execvp, (const char *path, char *const argv[]))                                                        \
    X(int, execvpe, (const char *path, char *const argv[], char *const envp[]))                                   \
    X(int, fexecve, (int fd, char *const argv[], char *const envp[]))                                             \
    X(void, _exit, (int status))                                                                                  \
    X(void, _Exit, (int status))                                                                                  \
    X(void, abort, (void))

#define X(ret, name, params) extern ret(*real_##name) params;
HW_REAL(X)
#undef X

void hw_real_resolve(void); /* looks up all of them; idempotent */
#define REAL(name) ((real_##name != NULL ? (void)0 : hw_real_resolve()), real_##name)

#endif
