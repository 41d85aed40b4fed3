/* What the tracer's files share. See README.md for the rules that every hook keeps. */
#ifndef HEADWAY_TRACER_H
#define HEADWAY_TRACER_H

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "record.h"

#define EXPORT __attribute__((visibility("default")))
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

/* Atomics on plain fields of the mapped structs. */
#define LOAD(p) __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define STORE(p, v) __atomic_store_n(p, v, __ATOMIC_RELEASE)
#define PEEK(p) __atomic_load_n(p, __ATOMIC_RELAXED)
#define POKE(p, v) __atomic_store_n(p, v, __ATOMIC_RELAXED)
#define ADD(p, v) __atomic_fetch_add(p, v, __ATOMIC_RELAXED)

/* The thread's totals when the step that runs on it began. */
struct hw_before {
    uint32_t version;         /* of the slot; odd: none are kept */
    uint64_t total_ns[HW_NKINDS];
    uint64_t ready_cpu_ns, off_other_ns, run_delay_ns;
};

/* A long step, until the event loop has looked for what had come meanwhile, and has run that. */
struct hw_long {
    uint64_t start_ns, end_ns;
    uint64_t poll_ns;         /* as hw_self.poll_ns, when it ended */
    uint32_t polls;           /* as hw_self.polls */
    uint32_t unit;            /* + 1; 0: none */
    uint32_t stack, late, delay_us;
    bool over;                /* it was the unit's last */
};

/* A lock that a thread has: see order.c. */
#define HW_TAKEN 8u
struct hw_taken {
    struct hw_semaphore *sem;
    uint64_t address;
    uint32_t before;          /* hw_self.heard, before it was taken */
    uint32_t since;           /* and what was heard afterwards, not by taking this */
};

/* Whose turn it is on a thread, of the units of one kind. */
struct hw_turn {
    uint32_t unit;            /* the one that runs: place among those alive + 1, or 0 */
    struct hw_before before;
    struct hw_long long_step;
};

/* One thread's own state. Only that thread reads or writes it. */
struct hw_self {
    struct hw_thread *slot;   /* NULL: not known yet, or ended */
    struct hw_chunk *chunk;   /* the open chunk, or NULL */
    uint32_t index;           /* of the slot */
    uint32_t room;            /* records that the open chunk has pages for */
    bool busy;                /* inside the tracer: hooks pass through. Guards recursion and signal handlers */
    bool ended;               /* its end was recorded: later hooks pass through */
    bool interrupted;         /* a signal came while they were blocked in a slow path: see hw_interrupted */
    bool io_was_long;         /* its last read took longer than the threshold: walk before, not after, the next */
    int vfork_pid;            /* last vfork child that was recorded */
    uint64_t delay_at_ns;     /* when slot->run_delay_ns was read */
    uint64_t check_at_ns;     /* before this its CPU clock is read after long intervals only */
    const void *last_cond;    /* last condition variable that it initialised */
    uint32_t shared;          /* its number in the shared file + 1; 0: none yet */
    uint32_t taken_count;     /* locks that it has ... */
    struct hw_taken taken[HW_TAKEN]; /* ... as far as they find room here */
    uint32_t heard, known;    /* the last order that others may have told it of; and the last of these or its own */
    uint64_t orders_seen[16]; /* those that need not be looked at again */
    uint32_t polls;           /* calls that looked, or waited, for input: a loop makes one each time round */
    uint64_t poll_ns;         /* and the time in them */
    uint64_t poll_end_ns;     /* and when the last one returned */
    uint64_t left_ns;         /* when a greenlet gave way, and none has come back since; 0: not known */
    uint32_t wait;            /* what the greenlet that runs would wait for, where it is now: enum hw_kind, or 0 ... */
    uint32_t watch;           /* ... or by what it has started */
    const void *wait_on;      /* the object that is to end that, or NULL */
    struct hw_turn turns[HW_UNIT_KINDS]; /* by kind: a task may run in a greenlet, and a greenlet in a task's step */
    uint32_t job;             /* the job that runs on it: place among those alive + 1, or 0 */
    uint32_t pool;            /* whose worker it was last: pool + 1, or 0 */
    void *job_queue;          /* where it got the job */
    void *job_kept;           /* a reference to what tells how it ended, until it asks for the next one */
    bool job_own;             /* it is one of headway's own executors */
    uint64_t away;            /* its number, if another process submitted it */
    struct hw_before job_before;
};
extern __thread struct hw_self hw_self;

/* The process. Written at activation and after fork, by one thread while no other traces. */
struct hw_process {
    bool on;                  /* threads of this process are traced */
    int pid;
    struct hw_header *header; /* start of the mapping */
    uint64_t mapped;          /* its bytes */
    uint64_t stack_threshold_ns, coalesce_ns;
    char path[512];           /* of the process file */
    uint64_t dev, ino;
    bool full_size;           /* the file is as long as the mapping */
};
extern struct hw_process hw;

static inline uint64_t hw_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* ---- file.c: the process file ---- */
bool hw_file_open(void);
static inline struct hw_section *hw_section(enum hw_section_id id)
{
    if (id < HW_SECTION_UNITS)
        return &hw.header->sections[id];
    return id == HW_SECTION_UNITS ? &hw.header->units
                                  : id == HW_SECTION_POOLS ? &hw.header->pools : &hw.header->orders;
}
void hw_file_leave(void);
void *hw_entry(enum hw_section_id id, uint32_t index);
uint32_t hw_append(enum hw_section_id id, uint32_t n); /* first index of n consecutive new entries, or HW_NOBODY */
struct hw_chunk *hw_chunk_claim(uint32_t slot);
#define HW_CHUNK_FIRST ((4096u - 64u) / 32u) /* records in the first page of a chunk */
void hw_chunk_rest(struct hw_chunk *chunk);
uint32_t hw_chunk_index(const struct hw_chunk *chunk);
void *hw_private(size_t bytes); /* zeroed private memory, back to zero after fork; for indexes. At start only */
void hw_private_reset(void);
/* A lock of a slow path. Held for microseconds, never across a real call; signals are blocked meanwhile, because a
 * handler may suspend this thread, or jump away. */
struct hw_slow {
    atomic_bool held;
};
uint64_t hw_slow_lock(struct hw_slow *lock); /* the signal mask to give to hw_slow_unlock */
void hw_slow_unlock(struct hw_slow *lock, uint64_t mask);
void hw_file_after_fork(void);

/* ---- thread.c: slots and states ---- */
struct hw_thread *hw_adopt(void);
void hw_thread_first(void);
void hw_thread_end(void);
void hw_close(struct hw_thread *t, uint64_t now);
void hw_beside(struct hw_thread *t, uint64_t start, uint64_t end, uint32_t kind, uint32_t a, uint32_t b, uint32_t c,
               uint32_t d);

/* ---- cpu.c: the CPU clock ---- */
uint64_t hw_clock_ns(clockid_t clock);
clockid_t hw_thread_clock(uint32_t tid);
uint64_t hw_run_delay(const char *path);
void hw_checkpoint(struct hw_thread *t, uint64_t now);

#define HW_CHECKPOINT_NS 2000000u /* the clock is read this often where intervals are short: one system call each */
#define HW_OFFCPU_NS 100000u      /* time off the core that is worth asking the kernel about */
#define HW_ALONE_NS 1000000u      /* an interval that is always worth a reading */

/* A long interval has a window of its own, or nearly: time off the core is shared out between the running kinds in a
 * window, and a thread that drops the GIL is often pushed off its core by the one that it wakes. */
static inline bool hw_checkpoint_due(const struct hw_thread *t, uint64_t now, uint64_t duration)
{
    return (now - t->cpu_at_ns >= HW_CHECKPOINT_NS || duration >= HW_OFFCPU_NS) &&
           (now >= hw_self.check_at_ns || duration >= HW_ALONE_NS);
}

/* Enters the tracer: the calling thread's slot, or NULL when this call must not be traced. Every non-NULL
 * return is followed by hw_out(). */
static inline struct hw_thread *hw_in(void)
{
    if (UNLIKELY(!hw.on) || UNLIKELY(hw_self.busy))
        return NULL;
    hw_self.busy = true;
    atomic_signal_fence(memory_order_seq_cst);
    if (LIKELY(hw_self.slot != NULL))
        return hw_self.slot;
    struct hw_thread *t = hw_adopt();
    if (t == NULL)
        hw_self.busy = false;
    return t;
}

static inline void hw_out(void)
{
    atomic_signal_fence(memory_order_seq_cst);
    hw_self.busy = false;
}

/* Is this thread inside a call that blocks, or after the GIL? */
static inline bool hw_waits(const struct hw_thread *t)
{
    return t->kind >= HW_GIL;
}

/* Closes the current interval at `now` and begins another. */
static inline void hw_switch(struct hw_thread *t, uint64_t now, uint32_t kind, uint32_t a, uint32_t c)
{
    hw_close(t, now);
    t->kind = kind;
    t->now_a = a;
    t->now_b = 0;
    t->now_c = c;
    t->now_d = 0;
}

/* What a thread does between calls that are hooked. */
static inline void hw_resume(struct hw_thread *t, uint64_t now)
{
    hw_switch(t, now, t->holds ? HW_PYTHON : HW_NATIVE, t->holds ? t->holds - 1 : 0, 0);
}

/* Did a signal come while hw_block stored a new stack? Its handler has run, or is about to, before the real call begins
 * and so would not interrupt it: a Ctrl-C would wait for the sleep to end. The hook then returns as if it had. */
static inline bool hw_interrupted(const struct hw_thread *t)
{
    if (t == NULL || LIKELY(!hw_self.interrupted))
        return false;
    hw_self.interrupted = false;
    return true;
}

/* A blocking call: begin returns NULL when it is not traced. `walk`: take the Python stack now, because it may last. */
struct hw_thread *hw_block(uint32_t kind, uint32_t a, uint32_t c, bool walk);
void hw_unblock(struct hw_thread *t);

/* ---- python.c and stack.c: the interpreter ---- */
void hw_python_find(void);     /* looks for an interpreter in this process; sets the header's flags */
bool hw_python_present(void);
bool hw_python_initialized(void);
bool hw_from_python(const void *address); /* is this code part of the interpreter? */
void hw_python_start_name(char *name); /* the name of the Thread whose start() is running */
#define HW_DEPTH 64 /* frames kept of a stack */
uint32_t hw_stack(uint32_t most); /* the calling thread's Python stack, so many frames of it: index + 1, or 0 */
bool hw_stack_has(uint32_t stack, const char *file, const char *name);
void hw_stack_init(void);
void hw_stack_after_fork(void);

struct hw_walked {
    uint64_t hash;
    uint32_t depth;
    bool cut, of_coroutines;
    struct hw_walked_frame {
        uint64_t hash;
        const char *code;   /* PyCodeObject */
        uint32_t instruction; /* in code units */
    } frames[HW_DEPTH];
};
#define HW_FIRST_LINE UINT32_MAX /* as an instruction: where the function begins */
bool hw_walk(struct hw_walked *walked, uint32_t most); /* python.c */
void hw_walk_code(struct hw_walked *walked, const void *code);
void hw_walk_frame(struct hw_walked *walked, const void *frame);
size_t hw_frame_inside(const void *coroutine, size_t bytes, const void *code, long lasti);
uint32_t hw_stack_of(const struct hw_walked *walked); /* a stack of coroutines: index + 1, or 0 */
uint32_t hw_code(const void *code); /* frame + 1 of a code object's first line, or 0 */
uint32_t hw_code_named(const char *name);   /* the same, of what has no code object */
/* The code of the calling thread's innermost frame, or of one further out, and its first so many locals. */
const void *hw_frame(uint32_t further, void **locals, uint32_t n);
static inline const void *hw_top(void *locals[2])
{
    return hw_frame(0, locals, 2);
}
uint32_t hw_frame_line(const char *code, uint32_t instruction);
size_t hw_frame_text(const char *code, char *file_then_name, size_t bytes, size_t *name_at);

/* ---- gil.c, lock.c, process.c, signal.c ---- */
void hw_finish(enum hw_end end, uint32_t exit_code);
void hw_unfinish(void);
void hw_signals_start(void);
uint32_t hw_gil_after_fork(uint32_t holds);
void hw_lock_init(void);
void hw_order_after_fork(void);
void hw_order_begin(void);    /* what has been seen counts as new when it is seen again */
void hw_order_hear_all(void); /* what this thread was just told may come from any other */
void hw_flush_holds(struct hw_thread *t);

/* ---- unit.c: what runs on threads in turn. The caller holds the GIL, and is inside the tracer ---- */
#define HW_UNITS_TOLD_APART 16384u
#define HW_UNITS_MANY 1024u   /* then one stands for all of its code */
#define HW_UNITS_ALIVE (1u << 18)
#define HW_LONG_STEP_NS 10000000u

/* A unit that is alive. Only one thread at a time has it. */
struct hw_live {
    const void *key;      /* the interpreter's object */
    struct hw_unit *slot; /* in the file */
    uint32_t index;       /* in the unit section */
    uint32_t waker;       /* unit + 1 that made it ready; 0: none */
    uint64_t created_ns;
    uint64_t since_ns;    /* when its state began */
    uint64_t ready_ns;    /* when it was made ready; 0: it waits, or runs */
    uint64_t waited_ns;   /* how long it had waited then */
    uint64_t step_ready_ns; /* of the step that runs: how long it was ready before */
    uint64_t burst_ns;    /* when its first step began that is not recorded yet, or became ready */
    uint64_t burst_end_ns; /* and when the last one ended */
    uint64_t burst_run_ns, burst_ready_ns;
    uint32_t burst_steps;
    uint32_t wait, stack; /* kind of its last wait, and where it was */
    uint32_t on;          /* unit that it waited for, or HW_NOBODY */
    uint32_t carrier;     /* slot of the thread that ran it last */
    uint8_t kind;         /* enum hw_unit_kind */
    bool begun;           /* it has run */
    bool runs;
    bool looped;          /* it gave way to an event loop, and not to another unit */
    bool hub;             /* it is the event loop */
    uint32_t flags;       /* HW_UNIT_FAILED and the like, for its end */
    const void *awaits;   /* the object that it waits for, or NULL: an address, and no more */
};
bool hw_unit_start(void); /* before the others */
void hw_unit_after_fork(void);
struct hw_live *hw_unit_find(const void *key);
struct hw_live *hw_unit_at(uint32_t place); /* + 1 */
/* `pool`: of a job; else HW_NOBODY. */
struct hw_live *hw_unit_new(const void *key, enum hw_unit_kind kind, uint32_t code, uint32_t pool, uint64_t now);
struct hw_place { /* who made a unit, and where */
    uint32_t creator, parent, stack; /* slot; unit or HW_NOBODY; + 1 */
};
void hw_unit_place(struct hw_place *place); /* here */
struct hw_live *hw_unit_new_at(const void *key, enum hw_unit_kind kind, uint32_t code, uint32_t pool, uint64_t now,
                               const struct hw_place *from); /* NULL: here */
uint32_t hw_unit_take(struct hw_live *live); /* its key is no longer its own: its place + 1 */
static inline struct hw_unit *hw_unit_slot(const struct hw_live *live)
{
    return live->slot;
}
void hw_unit_ready(struct hw_live *live, uint64_t now);
void hw_unit_waited(struct hw_live *live); /* it was ready after a long wait */
void hw_unit_begin(struct hw_live *live, uint64_t now);
void hw_unit_begin_eager(struct hw_live *live, uint64_t began);
void hw_unit_keep(enum hw_unit_kind kind); /* the thread's totals, now */
struct hw_live *hw_unit_running(enum hw_unit_kind kind); /* on this thread; or NULL */
/* The step ends. `wait` HW_NONE: so does the unit. `stack`: where it waits, or of a long step where it stands. */
void hw_unit_end(struct hw_live *live, uint64_t now, uint32_t wait, uint32_t on, uint32_t stack);
void hw_unit_over(struct hw_live *live, uint64_t now, uint32_t flags);
uint32_t hw_unit_innermost(void); /* of those that run on this thread; or HW_NOBODY */
void hw_unit_leave(uint32_t pool); /* forgets those of its jobs that are alive: they are as they are */
void hw_unit_named(struct hw_live *live, const char *name);
void hw_unit_flush_long(struct hw_thread *t);
void hw_unit_keep_totals(struct hw_before *before, const struct hw_thread *t);
void hw_unit_share_out(struct hw_unit *u, struct hw_thread *t, const struct hw_before *before, uint64_t now,
                       uint64_t duration);
static inline void hw_change(uint32_t *version) /* before and after figures that belong together */
{
    atomic_signal_fence(memory_order_seq_cst);
    POKE(version, *version + 1);
    atomic_signal_fence(memory_order_seq_cst);
}

/* ---- pool.c: executors. The caller holds the GIL, and is inside the tracer ---- */
uint32_t hw_pool_of(const void *queue); /* its pool + 1, or 0 */
uint32_t hw_pool_new(const void *queue, enum hw_pool_kind kind, const char *name, const char *type, uint32_t size,
                     uint64_t now);
void hw_pool_gone(const void *queue, uint64_t now);
/* `size`: how many workers it may have now; 0: as before. */
void hw_pool_submitted(uint32_t pool, bool told, uint32_t size, uint64_t now);
void hw_pool_begun(uint32_t pool, uint64_t queue_ns, uint64_t now);
void hw_pool_ended(uint32_t pool, uint64_t run_ns, uint32_t flags, uint64_t now);
void hw_pool_taken_away(uint32_t pool, uint32_t flags, uint64_t now); /* a job in the queue ended */
void hw_pool_answered(uint32_t pool, uint32_t flags, uint64_t now);   /* the result of one is back from another process */
void hw_pool_after_fork(void);
void hw_multiprocessing_pool_after_fork(void);
void hw_own_pool_after_fork(void);

/* ---- worker.c: a worker has a job ---- */
void hw_worker_gets(struct hw_live *live, void *queue, void *kept, bool own, uint64_t now);
void hw_worker_ends(uint32_t flags, uint64_t now);

/* ---- agent.c, task.c, job.c and greenlet.c: the interpreter's own functions that we look into ---- */
extern bool hw_agent_due; /* it is to be started as soon as that is possible */
bool hw_in_main(void); /* enters the tracer, in the main interpreter: what others have is none of ours */
void hw_agent_start(void);
void hw_agent_find(void);

/* ---- real.h: the functions behind the hooks ---- */
#include "real.h"

#endif
