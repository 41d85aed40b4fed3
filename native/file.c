/* The process file: one sparse file, mapped shared, with append-only sections.
 *
 * invariant: no page is touched before it is reserved on disk, so a full disk is an error code here and never
 * SIGBUS in the program. No descriptor stays open: programs count, close and reuse them.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tracer.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

#define PAGE 4096u
#define STEP 65536u        /* bytes reserved at a time by name, at least */
#define UNITS_MANY 128u    /* from so many units on ... */
#define UNITS_STEP 61440u  /* ... so many bytes more are reserved at a time */
#define CHUNK_STEP 1048576u /* and in the chunk section */

static const struct {
    uint32_t stride, capacity;
} layout[HW_NSECTIONS] = {
    [HW_SECTION_THREADS] = {sizeof(struct hw_thread), 65536},
    [HW_SECTION_GILS] = {sizeof(struct hw_gil), 1024},
    [HW_SECTION_LOCKS] = {sizeof(struct hw_lock), 65536},
    [HW_SECTION_EDGES] = {sizeof(struct hw_edge), 65536},
    [HW_SECTION_STACKS] = {sizeof(struct hw_stack), 65536},
    [HW_SECTION_LINKS] = {sizeof(uint32_t), 1u << 20},
    [HW_SECTION_FRAMES] = {sizeof(struct hw_frame), 65536},
    [HW_SECTION_TEXT] = {1, 8u << 20},
    [HW_SECTION_CHUNKS] = {HW_CHUNK_BYTES, 0 /* HEADWAY_BUFFER_MB */},
    [HW_SECTION_UNITS] = {sizeof(struct hw_unit), HW_UNITS_TOLD_APART + HW_UNITS_MANY},
    [HW_SECTION_POOLS] = {sizeof(struct hw_pool), 8192},
    [HW_SECTION_ORDERS] = {sizeof(struct hw_order), 8192},
};

struct hw_process hw;
static struct hw_slow growing;
static uint32_t chunk_hand; /* where the search for a full chunk goes on */

uint64_t hw_slow_lock(struct hw_slow *lock)
{
    /* Faults stay deliverable: blocked, they would kill. */
    const uint64_t most = ~(1ull << (SIGSEGV - 1) | 1ull << (SIGBUS - 1) | 1ull << (SIGILL - 1) | 1ull << (SIGFPE - 1));
    uint64_t mask = 0;
    syscall(SYS_rt_sigprocmask, SIG_BLOCK, &most, &mask, sizeof mask);
    for (unsigned tries = 0; atomic_exchange_explicit(&lock->held, true, memory_order_acquire); tries++) {
        const struct timespec moment = {0, 50000};
        if (tries < 100)
            sched_yield();
        else
            syscall(SYS_nanosleep, &moment, NULL); /* the holder may have a lower priority */
    }
    return mask;
}

void hw_slow_unlock(struct hw_slow *lock, uint64_t mask)
{
    uint64_t pending = 0;
    atomic_store_explicit(&lock->held, false, memory_order_release);
    syscall(SYS_rt_sigpending, &pending, sizeof pending);
    for (int sig = 1; (pending & ~mask) != 0 && sig < SIGRTMIN; sig++) {
        struct sigaction action;
        if ((pending & ~mask) >> (sig - 1) & 1 && sigaction(sig, NULL, &action) == 0 &&
            action.sa_handler != SIG_DFL && action.sa_handler != SIG_IGN && !(action.sa_flags & SA_RESTART))
            hw_self.interrupted = true;
    }
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, sizeof mask);
}

void hw_file_after_fork(void)
{
    atomic_store(&growing.held, false);
}

/* Private indexes live in one anonymous mapping that can be emptied in a forked child. */
static char *private_base;
static size_t private_used;
static bool private_wiped; /* the kernel gives a child zeros */
#define PRIVATE_BYTES (8u << 20)

void *hw_private(size_t bytes)
{
    if (private_base == NULL) {
        void *p = mmap(NULL, PRIVATE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (p == MAP_FAILED)
            return NULL;
        private_base = p;
        /* Else fork copies its page tables, and the parent copies each page that it writes to afterwards. */
        private_wiped = madvise(p, PRIVATE_BYTES, MADV_WIPEONFORK) == 0;
    }
    bytes = (bytes + PAGE - 1) / PAGE * PAGE;
    if (private_used + bytes > PRIVATE_BYTES)
        return NULL;
    private_used += bytes;
    return private_base + private_used - bytes;
}

void hw_private_reset(void)
{
    if (private_base != NULL && !private_wiped)
        madvise(private_base, PRIVATE_BYTES, MADV_DONTNEED); /* anonymous: reads as zero again */
}

/* Raw system calls: ours must not pass through our own hooks. */
static int sys_open(const char *path, int flags, int mode)
{
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags | O_CLOEXEC, mode);
}

/* Beyond RLIMIT_FSIZE the kernel would send SIGXFSZ to the program. */
static bool fits(uint64_t size)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY || size <= limit.rlim_cur;
}

static bool write_zeros(int fd, uint64_t from, uint64_t to)
{
    static const char zeros[PAGE];
    for (uint64_t at = from; at < to; at += PAGE)
        if (syscall(SYS_pwrite64, fd, zeros, PAGE, (off_t)at) != PAGE)
            return false;
    return true;
}

static bool reserve_bytes(int fd, uint64_t from, uint64_t to)
{
    if (!fits(to)) {
        errno = EFBIG;
        return false;
    }
    int r;
    do
        r = (int)syscall(SYS_fallocate, fd, 0, (off_t)from, (off_t)(to - from));
    while (r != 0 && errno == EINTR);
    /* A file system without fallocate: zeros take the blocks as well. */
    return r == 0 || (errno == EOPNOTSUPP && write_zeros(fd, from, to));
}

static bool reserve_by_name(uint64_t from, uint64_t to)
{
    struct stat st;
    int fd = sys_open(hw.path, O_RDWR, 0);
    if (fd < 0)
        return false;
    /* Subtle: after a chroot or a rename the path may name another file. */
    bool ours = fstat(fd, &st) == 0 && st.st_dev == hw.dev && st.st_ino == hw.ino;
    errno = ENOENT;
    bool ok = ours && reserve_bytes(fd, from, to);
    int error = errno;
    syscall(SYS_close, fd);
    errno = error;
    return ok;
}

/* Through the mapping the kernel takes the blocks too, and gives an error where a touch would give SIGBUS. It needs no
 * descriptor, and the fault that the first touch would be is saved: 7 us a page, against 50 for the other way. From
 * Linux 5.14 on. */
static bool reserve_mapped(uint64_t from, uint64_t to)
{
    errno = ENOENT;
    return hw.full_size && madvise((char *)hw.header + from, to - from, MADV_POPULATE_WRITE) == 0;
}

static bool may_pass(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOMEM || error == EINTR;
}

/* Makes sure that entries below `want` of a section may be touched. */
static bool reserve(enum hw_section_id id, uint32_t want)
{
    struct hw_section *s = hw_section(id);
    if (want <= LOAD(&s->reserved))
        return true;
    int saved = errno;
    uint64_t mask = hw_slow_lock(&growing);
    bool ok = want <= s->reserved;
    if (!ok && !(PEEK(&hw.header->flags) & HW_FLAG_NO_SPACE)) {
        uint64_t all = (s->offset + (uint64_t)s->capacity * s->stride + PAGE - 1) / PAGE * PAGE;
        uint64_t from = (s->offset + (uint64_t)s->reserved * s->stride) / PAGE * PAGE;
        uint64_t to = (s->offset + (uint64_t)want * s->stride + PAGE - 1) / PAGE * PAGE;
        /* Who has many units may have many more: a page at a time would be 3 us for each of them. */
        if (id == HW_SECTION_UNITS && s->reserved >= UNITS_MANY)
            to = to + UNITS_STEP < all ? to + UNITS_STEP : all;
        /* Most processes live with one chunk; who needs more may need many, and touches not all pages of each. */
        bool mapped_first = id != HW_SECTION_CHUNKS || s->reserved == 0;
        int error = 0;
        if (mapped_first && !(ok = reserve_mapped(from, to)))
            error = errno;
        if (!ok) {
            uint64_t far = to + (id == HW_SECTION_CHUNKS ? CHUNK_STEP : STEP);
            far = far < all ? far : all;
            ok = reserve_by_name(from, far);
            if (ok)
                to = far;
            /* A process that gave up its rights, or its descriptors, cannot open the file again. */
            else if (!mapped_first && errno != ENOSPC && errno != EDQUOT)
                ok = reserve_mapped(from, to);
        }
        uint64_t entries = (to - s->offset) / s->stride;
        if (ok)
            STORE(&s->reserved, entries < s->capacity ? (uint32_t)entries : s->capacity);
        else if (!may_pass(error) && !may_pass(errno))
            __atomic_fetch_or(&hw.header->flags, HW_FLAG_NO_SPACE, __ATOMIC_RELAXED);
    }
    hw_slow_unlock(&growing, mask);
    errno = saved;
    return ok;
}

void *hw_entry(enum hw_section_id id, uint32_t index)
{
    struct hw_section *s = hw_section(id);
    return (char *)hw.header + s->offset + (uint64_t)index * s->stride;
}

uint32_t hw_append(enum hw_section_id id, uint32_t n)
{
    struct hw_section *s = hw_section(id);
    uint32_t first = PEEK(&s->count);
    do {
        if (first > s->capacity || n > s->capacity - first || !reserve(id, first + n)) {
            ADD(&s->lost, n);
            return HW_NOBODY;
        }
    } while (!__atomic_compare_exchange_n(&s->count, &first, first + n, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED));
    return first;
}

uint32_t hw_chunk_index(const struct hw_chunk *chunk)
{
    return (uint32_t)(((uintptr_t)chunk - (uintptr_t)hw_entry(HW_SECTION_CHUNKS, 0)) / HW_CHUNK_BYTES);
}

/* In place of a fault for each page. From Linux 5.14 on; before, the faults do it. */
static void populate(void *start, size_t bytes)
{
    int saved = errno;
    madvise(start, bytes, MADV_POPULATE_WRITE);
    errno = saved;
}

/* The first page is full. Many threads end before: the others are not paid for until now. */
void hw_chunk_rest(struct hw_chunk *chunk)
{
    populate((char *)chunk + PAGE, HW_CHUNK_BYTES - PAGE);
}

static struct hw_chunk *take(struct hw_chunk *chunk, uint32_t slot)
{
    chunk->slot = slot;
    POKE(&chunk->count, 0);
    chunk->last_end_ns = 0;
    STORE(&chunk->seq, __atomic_add_fetch(&hw.header->chunk_seq, 1, __ATOMIC_RELAXED));
    return chunk;
}

struct hw_chunk *hw_chunk_claim(uint32_t slot)
{
    struct hw_section *s = &hw.header->sections[HW_SECTION_CHUNKS];
    if (PEEK(&s->count) < s->capacity) {
        uint32_t index = hw_append(HW_SECTION_CHUNKS, 1);
        if (index != HW_NOBODY) {
            struct hw_chunk *chunk = hw_entry(HW_SECTION_CHUNKS, index);
            populate(chunk, PAGE);
            POKE(&chunk->state, HW_CHUNK_OPEN);
            return take(chunk, slot);
        }
    }
    /* The chunks were filled in about the order of their index, so a hand that goes round finds the oldest. */
    uint32_t n = PEEK(&s->count) < s->capacity ? PEEK(&s->count) : s->capacity;
    for (uint32_t tries = 0; tries < n; tries++) {
        struct hw_chunk *chunk = hw_entry(HW_SECTION_CHUNKS, ADD(&chunk_hand, 1) % n);
        uint32_t full = HW_CHUNK_FULL;
        if (!__atomic_compare_exchange_n(&chunk->state, &full, HW_CHUNK_OPEN, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
            continue;
        ADD(&hw.header->overwritten, PEEK(&chunk->count));
        uint64_t until = PEEK(&hw.header->overwritten_until_ns);
        while (until < chunk->last_end_ns &&
               !__atomic_compare_exchange_n(&hw.header->overwritten_until_ns, &until, chunk->last_end_ns, true,
                                            __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
        }
        return take(chunk, slot);
    }
    return NULL;
}

/* In a forked child: lets go of the parent's file, so that forks of forks do not add up. */
void hw_file_leave(void)
{
    if (hw.header != NULL)
        munmap(hw.header, hw.mapped);
    hw.header = NULL;
}

static void read_text(const char *path, char *to, size_t bytes)
{
    int fd = sys_open(path, O_RDONLY, 0);
    if (fd < 0)
        return;
    long n = syscall(SYS_read, fd, to, bytes - 1);
    to[n > 0 ? n : 0] = 0;
    syscall(SYS_close, fd);
}

static uint64_t option(const char *name, uint64_t otherwise, uint64_t most)
{
    const char *text = getenv(name);
    if (text == NULL || *text == 0)
        return otherwise;
    char *end;
    unsigned long long value = strtoull(text, &end, 10);
    return *end != 0 || value > most ? otherwise : value;
}

/* Read once, by the image's first process: a program may clear its environment, or change it while it forks. */
static struct {
    bool read;
    char directory[sizeof hw.path];
    uint64_t buffer_mb, stack_us, coalesce_us;
} options;

static void read_options(void)
{
    if (options.read)
        return;
    options.read = true;
    const char *directory = getenv("HEADWAY_TRACE_DIR");
    if (directory != NULL && strlen(directory) < sizeof options.directory)
        strcpy(options.directory, directory);
    options.buffer_mb = option("HEADWAY_BUFFER_MB", 64, 16384);
    options.stack_us = option("HEADWAY_STACK_US", 100, 1000000000);
    options.coalesce_us = option("HEADWAY_COALESCE_US", 50, 1000000);
}

/* Makes this process's file and maps it: all sections if the process is traced, else only the header page.
 * On failure nothing is left behind and hw.header is NULL. */
bool hw_file_open(void)
{
    int saved = errno;
    read_options();
    uint64_t start = hw_now();
    bool whole = hw.on;
    hw.on = false;
    hw.header = NULL;
    hw.pid = (int)getpid();
    if (options.directory[0] == 0 ||
        (size_t)snprintf(hw.path, sizeof hw.path, "%s/process-%d-%llu.hw", options.directory, hw.pid,
                         (unsigned long long)start) >= sizeof hw.path)
        return false;
    int fd = sys_open(hw.path, O_RDWR | O_CREAT | O_EXCL, 0666);
    if (fd < 0) {
        errno = saved;
        return false;
    }
    uint64_t megabytes = options.buffer_mb;
    struct rlimit limit;
    /* The mapping is address space, which a program may have been given little of. */
    uint32_t shrink = getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY ? 16 : 1;
    if (shrink > 1 && megabytes > 4)
        megabytes = 4;
    uint32_t chunks = (uint32_t)((megabytes ? megabytes : 1) * ((1u << 20) / HW_CHUNK_BYTES));
    struct hw_section sections[HW_NSECTIONS];
    uint64_t offset = PAGE;
    memset(sections, 0, sizeof sections);
    for (int i = 0; i < HW_NSECTIONS; i++) {
        sections[i].offset = offset;
        sections[i].stride = layout[i].stride;
        sections[i].capacity = i == HW_SECTION_CHUNKS ? chunks : layout[i].capacity / shrink;
        offset += (uint64_t)sections[i].stride * sections[i].capacity;
        offset = (offset + PAGE - 1) / PAGE * PAGE;
    }
    struct stat st;
    struct hw_header *header = MAP_FAILED;
    bool cramped = false;
    if (fstat(fd, &st) == 0 && fits(PAGE) && write_zeros(fd, 0, PAGE)) {
        header = mmap(NULL, whole ? offset : PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (header == MAP_FAILED && whole) {
            cramped = true; /* no address space: at least say so */
            whole = false;
            header = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        }
    }
    hw.full_size = whole && fits(offset) && ftruncate(fd, (off_t)offset) == 0;
    if (header == MAP_FAILED) {
        syscall(SYS_close, fd);
        unlink(hw.path);
        errno = saved;
        return false;
    }
    syscall(SYS_close, fd);
    if (whole) {
        /* Without this the kernel reads around each first fault in the holes: 3 ms each, measured on ext4. */
        madvise(header, offset, MADV_RANDOM);
        madvise(header, offset, MADV_DONTDUMP); /* the trace is a file of its own: keep it out of core dumps */
    }
    hw.dev = st.st_dev;
    hw.ino = st.st_ino;
    hw.header = header;
    hw.mapped = whole ? offset : PAGE;
    hw.stack_threshold_ns = 1000 * options.stack_us;
    hw.coalesce_ns = 1000 * options.coalesce_us;
    chunk_hand = 0;

    for (int i = 0; i < HW_NSECTIONS; i++) {
        *hw_section(i) = sections[i];
        if (!whole)
            hw_section(i)->capacity = 0;
    }
    if (cramped)
        header->flags = HW_FLAG_NO_SPACE;
    header->version = HW_VERSION;
    header->header_bytes = sizeof *header;
    header->pid = (uint32_t)hw.pid;
    header->ppid = (uint32_t)getppid();
    header->start_ns = start;
    header->parent_slot = HW_NOBODY;
    header->stack_threshold_ns = hw.stack_threshold_ns;
    header->coalesce_ns = hw.coalesce_ns;
    struct timespec cpu;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
    header->start_cpu_ns = (uint64_t)cpu.tv_sec * 1000000000u + (uint64_t)cpu.tv_nsec;
    read_text("/proc/self/cmdline", header->cmdline, sizeof header->cmdline);
    long n = syscall(SYS_readlinkat, AT_FDCWD, "/proc/self/exe", header->exe, sizeof header->exe - 1);
    header->exe[n > 0 ? n : 0] = 0;
    memcpy(header->magic, HW_MAGIC, sizeof header->magic); /* last: the file is valid from here on */
    hw.on = whole;
    errno = saved;
    return true;
}
