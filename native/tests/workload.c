/* Uses the hooked functions as an interpreter would, with the tracer linked in: `workload NAME`.
 *
 * It is an interpreter as far as the tracer can see: it has the names that are looked for, and a GIL of the shape of
 * CPython's. What each scenario must leave behind is checked by `check`; what it can see itself, it checks here.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHECK(what)                                                                      \
    do {                                                                                 \
        if (!(what)) {                                                                   \
            fprintf(stderr, "workload.c:%d: not so: %s (errno %d)\n", __LINE__, #what, errno); \
            abort();                                                                     \
        }                                                                                \
    } while (0)

#define NAMED __attribute__((visibility("default"))) extern
NAMED const unsigned long Py_Version;
NAMED int Py_IsInitialized(void);
NAMED const char *Py_GetVersion(void);
const unsigned long Py_Version = 0x02070000; /* no layout is known for it: no stacks */
int Py_IsInitialized(void) { return 1; }
const char *Py_GetVersion(void) { return "2.7 (a test)"; }

/* ---- a GIL; Python/ceval_gil.c, shortened ---- */

static struct {
    pthread_cond_t cond;
    pthread_mutex_t mutex;
    pthread_cond_t switch_cond;
    pthread_mutex_t switch_mutex;
    bool locked;
} gil;

static void create_gil(void)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    CHECK(pthread_mutex_init(&gil.mutex, NULL) == 0);
    CHECK(pthread_mutex_init(&gil.switch_mutex, NULL) == 0);
    CHECK(pthread_cond_init(&gil.cond, &monotonic) == 0);
    CHECK(pthread_cond_init(&gil.switch_cond, &monotonic) == 0);
}

static void take_gil(void)
{
    pthread_mutex_lock(&gil.mutex);
    while (gil.locked) {
        struct timespec deadline;
        clock_gettime(CLOCK_MONOTONIC, &deadline);
        deadline.tv_nsec += 5000000;
        deadline.tv_sec += deadline.tv_nsec / 1000000000;
        deadline.tv_nsec %= 1000000000;
        pthread_cond_timedwait(&gil.cond, &gil.mutex, &deadline);
    }
    pthread_mutex_lock(&gil.switch_mutex);
    gil.locked = true;
    pthread_cond_signal(&gil.switch_cond);
    pthread_mutex_unlock(&gil.switch_mutex);
    pthread_mutex_unlock(&gil.mutex);
}

static void drop_gil(void)
{
    pthread_mutex_lock(&gil.mutex);
    gil.locked = false;
    pthread_cond_signal(&gil.cond);
    pthread_mutex_unlock(&gil.mutex);
}

/* ---- work ---- */

#define MOST 16
static sem_t lock, slots;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int items, counted, ends[2];
static volatile sig_atomic_t ticks;

static void spin(int n)
{
    for (volatile int i = 0; i < n; i++)
        continue;
}

static void in_threads(int n, void *(*work)(void *))
{
    pthread_t threads[MOST];
    CHECK(n <= MOST);
    for (intptr_t i = 0; i < n; i++)
        CHECK(pthread_create(&threads[i], NULL, work, (void *)i) == 0);
    for (int i = 0; i < n; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
}

static int ended(pid_t pid)
{
    int status;
    pid_t r;
    do
        r = waitpid(pid, &status, 0);
    while (r < 0 && errno == EINTR);
    CHECK(r == pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void *hold_gil(void *p)
{
    for (int i = 0; i < 300; i++) {
        take_gil();
        spin((int)(intptr_t)p % 2 ? 20000 : 200);
        drop_gil();
        if (i % 20 == 0)
            usleep(200);
    }
    return NULL;
}

static void *use_locks(void *p)
{
    struct timespec now;
    for (int i = 0; i < 2000; i++) {
        int r;
        switch (i % 3) {
        case 0: r = sem_wait(&lock); break;
        case 1: r = sem_trywait(&lock); break;
        default:
            clock_gettime(CLOCK_REALTIME, &now);
            now.tv_nsec = (now.tv_nsec + 50000) % 1000000000;
            r = sem_timedwait(&lock, &now);
        }
        if (r != 0) {
            CHECK(errno == (i % 3 == 1 ? EAGAIN : ETIMEDOUT) || errno == EINTR);
            continue;
        }
        counted++;
        spin(100);
        if (i % 200 == 0)
            usleep(150);
        counted--;
        CHECK(sem_post(&lock) == 0);
    }
    return p;
}

static void *use_condition(void *p)
{
    for (int i = 0; i < 500; i++) {
        pthread_mutex_lock(&mutex);
        if ((intptr_t)p % 2) {
            items++;
            pthread_cond_signal(&changed);
        } else {
            while (items == 0)
                pthread_cond_wait(&changed, &mutex);
            items--;
        }
        pthread_mutex_unlock(&mutex);
    }
    return NULL;
}

static void *echo(void *p)
{
    char byte;
    int fd = ends[(intptr_t)p % 2];
    for (int i = 0; i < 500; i++) {
        if ((intptr_t)p % 2) {
            CHECK(write(fd, "x", 1) == 1);
            CHECK(read(fd, &byte, 1) == 1);
        } else {
            struct pollfd one = {.fd = fd, .events = POLLIN};
            CHECK(poll(&one, 1, -1) == 1);
            CHECK(recv(fd, &byte, 1, 0) == 1);
            CHECK(send(fd, "y", 1, 0) == 1);
        }
    }
    return NULL;
}

static void *fork_often(void *p)
{
    for (int i = 0; i < 20; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            CHECK(sem_init(&lock, 0, 1) == 0);
            in_threads(3, use_locks);
            pid_t inner = fork();
            if (inner == 0)
                _exit(3);
            int status = ended(inner) + 4;
            if (i % 2)
                _exit(status);
            exit(status);
        }
        CHECK(pid > 0 && ended(pid) == 7);
    }
    return p;
}

static void *sleep_often(void *p)
{
    for (int i = 0; i < 3000; i++)
        usleep(1);
    return p;
}

static void *nothing(void *p)
{
    return p;
}

static void tick(int number)
{
    (void)number;
    int saved = errno;
    char byte;
    ticks++;
    CHECK(write(ends[0], "x", 1) == 1 && read(ends[1], &byte, 1) == 1);
    sem_post(&slots);
    sem_trywait(&slots);
    errno = saved;
}

static __attribute__((noinline)) pid_t by_vfork(char **words)
{
    char *none[] = {NULL};
    pid_t pid = vfork();
    if (pid == 0) {
        execve("/nowhere/nothing", words, none);
        execve("/bin/true", words, none);
        _exit(9);
    }
    return pid;
}

static void in_processes(int kind)
{
    char *words[] = {"true", NULL};
    for (int i = 0; i < 10; i++) {
        pid_t pid = 0;
        if (kind == 0)
            CHECK(posix_spawn(&pid, "/bin/true", NULL, NULL, words, environ) == 0);
        else if (kind == 1)
            CHECK(posix_spawn(&pid, "/nowhere/nothing", NULL, NULL, words, environ) == ENOENT);
        else
            pid = by_vfork(words);
        CHECK(kind == 1 || ended(pid) == 0);
    }
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";
    create_gil();
    take_gil();
    CHECK(sem_init(&lock, 0, 1) == 0 && sem_init(&slots, 0, 0) == 0);
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    drop_gil();
    if (strcmp(name, "gil") == 0)
        in_threads(4, hold_gil);
    else if (strcmp(name, "locks") == 0)
        in_threads(8, use_locks);
    else if (strcmp(name, "condition") == 0)
        in_threads(4, use_condition);
    else if (strcmp(name, "io") == 0)
        in_threads(2, echo);
    else if (strcmp(name, "sleeps") == 0)
        in_threads(8, sleep_often);
    else if (strcmp(name, "threads") == 0)
        for (int i = 0; i < 300; i++)
            in_threads(8, nothing);
    else if (strcmp(name, "fork") == 0) {
        pthread_t busy;
        CHECK(pthread_create(&busy, NULL, hold_gil, NULL) == 0);
        in_threads(2, fork_often);
        CHECK(pthread_join(busy, NULL) == 0);
    } else if (strcmp(name, "children") == 0)
        for (int kind = 0; kind < 3; kind++)
            in_processes(kind);
    else if (strcmp(name, "signals") == 0) {
        struct sigaction action = {.sa_handler = tick, .sa_flags = SA_RESTART};
        struct itimerval often = {{0, 300}, {0, 300}}, never = {{0, 0}, {0, 0}};
        CHECK(sigaction(SIGALRM, &action, NULL) == 0 && setitimer(ITIMER_REAL, &often, NULL) == 0);
        in_threads(4, use_locks);
        in_threads(2, hold_gil);
        CHECK(setitimer(ITIMER_REAL, &never, NULL) == 0 && ticks > 10);
    } else if (strcmp(name, "full") == 0) {
        struct rlimit limit = {1 << 20, 1 << 20};
        CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
        in_threads(8, use_locks);
        in_threads(4, hold_gil);
        for (int i = 0; i < 100; i++)
            in_threads(8, nothing);
    } else if (strcmp(name, "killed") == 0) {
        pthread_t thread;
        for (int i = 0; i < 4; i++)
            CHECK(pthread_create(&thread, NULL, hold_gil, NULL) == 0);
        usleep(20000);
        raise(SIGKILL);
    } else
        return fprintf(stderr, "no such scenario: %s\n", name), 2;
    CHECK(counted == 0);
    return 0;
}
