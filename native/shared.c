/* Semaphores that several processes have, as those of multiprocessing: one entry for each in a file of the whole trace,
 * which all traced processes map. So each knows who has a lock in another process.
 *
 * One is known by the file behind it: its inode stays the same when its name is removed, and a child of fork has it at the
 * same address.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "semaphore.h"

#define PAGE 4096u
#define BYTES                                                                                                       \
    (PAGE + HW_SHARED_THREADS * sizeof(struct hw_shared_thread) +                                                   \
     HW_SHARED_SEMAPHORES * sizeof(struct hw_shared_semaphore))

/* A child of fork has the same mapping. */
static struct hw_shared_header *header;
static bool failed;

static struct hw_shared_thread *threads(void)
{
    return (struct hw_shared_thread *)((char *)header + PAGE);
}

static struct hw_shared_semaphore *semaphores(void)
{
    return (struct hw_shared_semaphore *)(threads() + HW_SHARED_THREADS);
}

/* All blocks are taken before a page is touched, as in file.c. */
static struct hw_shared_header *map(void)
{
    char path[sizeof hw.path + 8];
    strcpy(path, hw.path);
    char *end = strrchr(path, '/');
    if (end == NULL)
        return NULL;
    strcpy(end, "/shared");
    struct rlimit limit;
    if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur < BYTES)
        return NULL; /* SIGXFSZ, else */
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0)
        return NULL;
    int r;
    do
        r = (int)syscall(SYS_fallocate, fd, 0, (off_t)0, (off_t)BYTES);
    while (r != 0 && errno == EINTR);
    void *mapped = r == 0 ? mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;
    syscall(SYS_close, fd);
    if (mapped == MAP_FAILED)
        return NULL;
    madvise(mapped, BYTES, MADV_DONTDUMP);
    struct hw_shared_header *made = mapped;
    POKE(&made->version, HW_SHARED_VERSION);
    memcpy(made->magic, HW_SHARED_MAGIC, sizeof made->magic); /* all write the same */
    return made;
}

static bool have(void)
{
    if (LIKELY(LOAD(&header) != NULL))
        return true;
    if (PEEK(&failed))
        return false;
    struct hw_shared_header *made = map(), *none = NULL;
    if (made == NULL)
        POKE(&failed, true);
    else if (!__atomic_compare_exchange_n(&header, &none, made, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
        munmap(made, BYTES);
    return LOAD(&header) != NULL;
}

/* The file that glibc makes for a semaphore of this name; 0 if it is not there any more. */
static uint64_t key_of(const char *name)
{
    static const char directory[] = "/dev/shm/sem.";
    char path[sizeof directory + 256];
    struct stat st;
    while (*name == '/')
        name++;
    if (strlen(name) > 255)
        return 0;
    memcpy(path, directory, sizeof directory);
    strcat(path, name);
    if (stat(path, &st) != 0 || st.st_ino <= HW_SHARED_GONE || st.st_ino >> 44 != 0)
        return 0;
    return st.st_ino | (uint64_t)st.st_dev << 44;
}

/* `made`: it is new, so what had the same key is gone. */
static struct hw_shared_semaphore *entry(uint64_t key, bool made)
{
    uint64_t place = key * 0x9e3779b97f4a7c15u >> 40;
    for (uint32_t probes = 0; probes < HW_SHARED_PROBES; probes++) {
        struct hw_shared_semaphore *s = &semaphores()[(place + probes) % HW_SHARED_SEMAPHORES];
        uint64_t there = LOAD(&s->key);
        if (there == 0 && __atomic_compare_exchange_n(&s->key, &there, key, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
            return s;
        if (there != key)
            continue;
        if (!made || PEEK(&s->maker) == 0)
            return s;
        STORE(&s->key, HW_SHARED_GONE);
    }
    return NULL;
}

struct hw_shared_semaphore *hw_shared_open(const char *name, bool made, unsigned value, uint32_t stack)
{
    int saved = errno;
    uint64_t key = have() ? key_of(name) : 0;
    struct hw_shared_semaphore *s = key != 0 ? entry(key, made) : NULL;
    if (s != NULL && made) {
        POKE(&s->created_ns, hw_now());
        POKE(&s->made_stack, stack);
        POKE(&s->maker, hw_shared_self());
        STORE(&s->value, value + 1);
    }
    errno = saved;
    return s;
}

uint32_t hw_shared_number(const struct hw_shared_semaphore *s)
{
    return (uint32_t)(s - semaphores());
}

uint32_t hw_shared_self(void)
{
    if (LIKELY(hw_self.shared != 0))
        return hw_self.shared;
    if (hw_self.slot == NULL || PEEK(&header->threads) >= HW_SHARED_THREADS)
        return 0;
    uint32_t number = ADD(&header->threads, 1);
    if (number >= HW_SHARED_THREADS)
        return 0;
    struct hw_shared_thread *t = &threads()[number];
    t->pid = (uint32_t)hw.pid;
    t->slot = hw_self.index;
    STORE(&t->start_ns, hw.header->start_ns);
    return hw_self.shared = number + 1;
}

uint32_t hw_shared_slot(uint32_t thread)
{
    if (thread == 0)
        return HW_NOBODY;
    const struct hw_shared_thread *t = &threads()[thread - 1];
    bool here = t->pid == (uint32_t)hw.pid && LOAD(&t->start_ns) == hw.header->start_ns;
    return here ? t->slot : HW_PEER | (thread - 1);
}
