/* A thread's slot, and the intervals that it writes. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tracer.h"

#define BURST_NS 1000000u       /* a burst is cut after this long, so that the timeline keeps its grain */

__thread struct hw_self hw_self;
static pthread_key_t end_key;

/* ---- records ---- */

static struct hw_chunk *make_room(struct hw_thread *t)
{
    struct hw_chunk *chunk = hw_self.chunk;
    if (chunk != NULL && hw_self.room < HW_CHUNK_RECORDS) {
        hw_chunk_rest(chunk);
        hw_self.room = HW_CHUNK_RECORDS;
        return chunk;
    }
    if (chunk != NULL)
        STORE(&chunk->state, HW_CHUNK_FULL);
    chunk = hw_self.chunk = hw_chunk_claim(hw_self.index);
    hw_self.room = HW_CHUNK_FIRST;
    t->chunk = chunk != NULL ? hw_chunk_index(chunk) + 1 : 0;
    return chunk;
}

static inline struct hw_record *next_record(struct hw_thread *t)
{
    struct hw_chunk *chunk = hw_self.chunk;
    if (UNLIKELY(chunk == NULL || chunk->count == hw_self.room) && (chunk = make_room(t)) == NULL) {
        t->lost++;
        return NULL;
    }
    return &chunk->records[chunk->count];
}

static inline void emit(struct hw_thread *t, uint64_t start, uint64_t duration, uint32_t kind, uint32_t a, uint32_t b,
                        uint32_t c, uint32_t d)
{
    struct hw_record *r = next_record(t);
    if (UNLIKELY(r == NULL))
        return;
    *r = (struct hw_record){start, duration << 8 | kind, a, b, c, d};
    t->records++;
    hw_self.chunk->last_end_ns = start + duration;
    STORE(&hw_self.chunk->count, hw_self.chunk->count + 1);
}

static inline void flush_burst(struct hw_thread *t)
{
    if (t->burst_count == 0)
        return;
    emit(t, t->burst_start_ns, t->since_ns - t->burst_start_ns, HW_BURST, (uint32_t)t->burst_native_ns,
         (uint32_t)t->burst_io_ns, (uint32_t)t->burst_gil_ns, t->burst_count);
    t->burst_count = 0;
    t->burst_native_ns = t->burst_io_ns = t->burst_gil_ns = 0;
}

/* Closes the interval [since, now) of the current state with the fields now_*; the next one begins at `now`. */
void hw_close(struct hw_thread *t, uint64_t now)
{
    uint64_t duration = now - t->since_ns;
    uint32_t kind = t->kind;
    POKE(&t->version, t->version + 1);
    atomic_signal_fence(memory_order_seq_cst);
    t->total_ns[kind] += duration;
    t->total_count[kind]++;
    if (kind == HW_PYTHON || kind == HW_NATIVE)
        t->window_run_ns[kind - HW_PYTHON] += duration;
    bool folds = kind == HW_PYTHON || kind == HW_NATIVE || kind == HW_GIL || kind == HW_IO;
    if (folds && duration < hw.coalesce_ns) {
        if (t->burst_count == 0)
            t->burst_start_ns = t->since_ns;
        t->burst_count++;
        if (kind == HW_NATIVE)
            t->burst_native_ns += duration;
        else if (kind == HW_IO)
            t->burst_io_ns += duration;
        else if (kind == HW_GIL)
            t->burst_gil_ns += duration;
        t->since_ns = now;
        if (now - t->burst_start_ns > BURST_NS)
            flush_burst(t);
    } else {
        flush_burst(t);
        emit(t, t->since_ns, duration, kind, t->now_a, t->now_b, t->now_c, t->now_d);
        t->since_ns = now;
    }
    atomic_signal_fence(memory_order_seq_cst);
    POKE(&t->version, t->version + 1);
    if ((kind == HW_PYTHON || kind == HW_NATIVE) && UNLIKELY(hw_checkpoint_due(t, now, duration)))
        hw_checkpoint(t, now);
}

void hw_beside(struct hw_thread *t, uint64_t start, uint64_t end, uint32_t kind, uint32_t a, uint32_t b, uint32_t c,
               uint32_t d)
{
    emit(t, start, end - start, kind, a, b, c, d);
}

/* ---- slots ---- */

static struct hw_thread *new_slot(uint64_t now, uint32_t creator, uint32_t *index)
{
    *index = hw_append(HW_SECTION_THREADS, 1);
    if (*index == HW_NOBODY) {
        ADD(&hw.header->untracked_threads, 1);
        return NULL;
    }
    struct hw_thread *t = hw_entry(HW_SECTION_THREADS, *index);
    t->creator = creator;
    t->created_ns = now;
    t->kind = HW_START;
    t->since_ns = now;
    t->now_c = creator;
    return t;
}

/* The calling thread takes its slot. */
static void enter_slot(struct hw_thread *t, uint32_t index, uint64_t now)
{
    hw_self.slot = t;
    hw_self.index = index;
    hw_self.chunk = NULL;
    hw_self.io_was_long = true;
    t->tid = (uint32_t)syscall(SYS_gettid);
    t->pthread = (uint64_t)pthread_self();
    t->begun_ns = now;
    t->cpu_ns = hw_clock_ns(CLOCK_THREAD_CPUTIME_ID);
    t->cpu_at_ns = now;
    hw_self.check_at_ns = 0;
    hw_self.delay_at_ns = now;
    pthread_setspecific(end_key, t);
}

/* A thread that was not seen at its creation: it begins at its first event. */
struct hw_thread *hw_adopt(void)
{
    if (hw_self.ended || hw.header == NULL)
        return NULL;
    int saved = errno;
    uint64_t now = hw_now();
    uint32_t index;
    struct hw_thread *t = new_slot(now, HW_NOBODY, &index);
    if (t != NULL) {
        t->flags = HW_THREAD_ADOPTED;
        enter_slot(t, index, now);
        hw_order_hear_all();
        t->kind = HW_NATIVE;
        STORE(&t->ready, 1);
    } else {
        hw_self.ended = true;
    }
    errno = saved;
    return t;
}

/* The thread that makes the file: slot 0. */
void hw_thread_first(void)
{
    uint32_t index;
    struct hw_thread *t = new_slot(hw.header->start_ns, HW_NOBODY, &index);
    if (t == NULL) {
        hw.on = false;
        return;
    }
    t->flags = HW_THREAD_MAIN;
    hw_self.ended = false;
    enter_slot(t, index, hw.header->start_ns);
    t->kind = HW_NATIVE;
    STORE(&t->ready, 1);
}

void hw_thread_end(void)
{
    struct hw_thread *t = hw_in();
    if (t == NULL)
        return;
    uint64_t now = hw_now();
    hw_close(t, now);
    hw_checkpoint(t, now);
    flush_burst(t);
    hw_flush_holds(t);
    hw_unit_flush_long(t);
    t->holds = 0;
    if (t->name[0] == 0) {
        char name[16] = "", process[16] = "";
        prctl(PR_GET_NAME, name);
        const char *exe = strrchr(hw.header->exe, '/');
        strncpy(process, exe != NULL ? exe + 1 : "", sizeof process - 1);
        if (strcmp(name, process) != 0)
            memcpy(t->name, name, sizeof name);
    }
    if (hw_self.chunk != NULL)
        STORE(&hw_self.chunk->state, HW_CHUNK_FULL);
    t->chunk = 0;
    STORE(&t->end_ns, now);
    hw_self.slot = NULL;
    hw_self.chunk = NULL;
    hw_self.ended = true;
    hw_out();
}

static void on_thread_exit(void *slot)
{
    (void)slot;
    hw_thread_end();
}

__attribute__((constructor(101))) static void make_key(void)
{
    pthread_key_create(&end_key, on_thread_exit);
}

/* ---- blocking calls ---- */

struct hw_thread *hw_block(uint32_t kind, uint32_t a, uint32_t c, bool walk)
{
    struct hw_thread *t = hw_in();
    if (t == NULL)
        return NULL;
    if (UNLIKELY(hw_waits(t))) { /* a signal handler inside a wait, or a library under getaddrinfo: part of that wait */
        hw_out();
        return NULL;
    }
    /* Subtle: with the GIL held this may be a signal handler in the midst of bytecode, where frames change. Where such
     * a call blocks long, the next drop of the GIL tells where the hold ended. */
    hw_self.interrupted = false;
    uint32_t stack = walk && !t->holds ? hw_stack(HW_DEPTH) : 0;
    hw_switch(t, hw_now(), kind, a, c);
    t->now_b = stack;
    hw_out();
    return t;
}

void hw_unblock(struct hw_thread *t)
{
    if (t == NULL || t != hw_self.slot || hw_self.busy) /* another process (fork in a handler), or the thread ended */
        return;
    hw_self.busy = true;
    uint64_t now = hw_now();
    if (now - t->since_ns >= hw.stack_threshold_ns) {
        int saved = errno;
        if (t->now_b == 0 && !t->holds)
            t->now_b = hw_stack(HW_DEPTH);
        if (t->now_b != 0) {
            struct hw_stack *s = hw_entry(HW_SECTION_STACKS, t->now_b - 1);
            ADD(&s->wait_count, 1);
            ADD(&s->wait_ns, now - t->since_ns);
        }
        errno = saved;
    }
    if (t->kind == HW_IO && t->now_c == HW_IO_POLL) {
        hw_self.polls++;
        hw_self.poll_ns += now - t->since_ns;
        hw_self.poll_end_ns = now;
    }
    if (t->kind == HW_IO ? t->now_c != HW_IO_WRITE && t->now_c != HW_IO_SYNC : t->kind != HW_SLEEP)
        hw_order_hear_all();
    hw_resume(t, now);
    hw_out();
    if (UNLIKELY(hw_agent_due))
        hw_agent_start();
}

/* ---- creation ---- */

struct start {
    void *(*run)(void *);
    void *arg;
    struct hw_thread *slot;
    uint32_t index;
    int pid;
    uint32_t known; /* hw_self.known of who made it */
};

static void *run_thread(void *p)
{
    struct start start = *(struct start *)p;
    free(p);
    if (hw.on && start.pid == hw.pid) {
        hw_self.busy = true;
        struct hw_thread *t = start.slot;
        uint64_t now = hw_now();
        enter_slot(t, start.index, now);
        hw_self.heard = hw_self.known = start.known;
        hw_switch(t, now, HW_NATIVE, 0, 0);
        STORE(&t->ready, 1);
        hw_out();
    }
    return start.run(start.arg);
}

EXPORT int pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *), void *arg)
{
    struct hw_thread *t = hw_in();
    if (t == NULL)
        return REAL(pthread_create)(thread, attr, run, arg);
    struct start *start = malloc(sizeof *start);
    struct hw_thread *made = NULL;
    if (start != NULL) {
        *start = (struct start){run, arg, NULL, 0, hw.pid, hw_self.known};
        uint64_t now = hw_now();
        made = new_slot(now, hw_self.index, &start->index);
        if (made != NULL) {
            start->slot = made;
            made->create_stack = made->now_b = hw_stack(HW_DEPTH);
            if (t->holds)
                hw_python_start_name(made->name);
            STORE(&made->ready, 1);
        }
    }
    hw_out();
    if (made == NULL) {
        free(start);
        return REAL(pthread_create)(thread, attr, run, arg);
    }
    int r = REAL(pthread_create)(thread, attr, run_thread, start);
    if (r != 0) {
        STORE(&made->ready, 0); /* it never was */
        free(start);
    }
    return r;
}
