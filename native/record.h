/* The trace format: what the tracer writes and `headway.trace.format` reads.
 *
 * A trace is a directory: `trace.json` (written by `headway trace`) and one file
 * `process-PID-STARTNS.hw` for each process image (a new one after fork and after exec).
 * A process file is a header page and append-only sections at fixed offsets, mapped MAP_SHARED, so that
 * whatever was stored is there after SIGKILL. It is sparse; every page is reserved before it is touched.
 *
 * Times are CLOCK_MONOTONIC nanoseconds. Little-endian. `tests/trace/test_format.py` compares every
 * offset here with the reader's dtypes.
 *
 * Who writes what: each field says it, or the struct does. "owner" is the thread that a slot describes.
 */
#ifndef HEADWAY_RECORD_H
#define HEADWAY_RECORD_H

#include <stddef.h>
#include <stdint.h>

#define HW_MAGIC "HEADWAY"    /* 8 bytes with the terminating zero */
#define HW_VERSION 1u
#define HW_NOBODY 0xffffffffu /* no thread, no lock, no GIL, no child */
#define HW_OUTSIDE 0xfffffffeu /* see below */
#define HW_AFAR 0xfffffffdu   /* see below */
#define HW_PEER 0x80000000u   /* with this bit: a thread of another process, see struct hw_shared_thread */

/* Kinds of a record, and of the state that a thread is in now. Each is one state and reason. */
#define HW_KINDS(X)                                                                                   \
    X(NONE, 0)                                                                                        \
    X(START, 1)          /* created, not yet run its first instruction */                             \
    X(PYTHON, 2)         /* running: holds the GIL */                                                 \
    X(NATIVE, 3)         /* running: without the GIL and outside every blocking call */               \
    X(GIL, 4)            /* ready: wants the GIL */                                                   \
    X(CPU, 5)            /* ready: wants a core. Never a current state: derived, see HW_OFFCPU */     \
    X(LOCK, 6)           /* waiting, from here on */                                                  \
    X(CONDITION, 7)                                                                                   \
    X(EVENT, 8)                                                                                       \
    X(QUEUE, 9)                                                                                       \
    X(JOIN, 10)                                                                                       \
    X(FUTURE, 11)                                                                                     \
    X(SLEEP, 12)                                                                                      \
    X(IO, 13)                                                                                         \
    X(PROCESS, 14)                                                                                    \
    X(OTHER, 15)                                                                                      \
    X(BURST, 16)         /* record only: a run of intervals too short to keep one by one */           \
    X(OFFCPU, 17)        /* record only: how much of a window's running time was not on a core */     \
    X(CHILD, 18)         /* record only: this thread made a process */                                \
    X(REAPED, 19)        /* record only: this thread saw the end of a child process */                \
    X(HOLD, 20)          /* record only: this thread held a lock while another waited for it */       \
    X(STEP, 21)          /* record only: a task ran on this thread */                                 \
    X(STEPS, 22)         /* record only: it ran several times, each for too short to keep it */       \
    X(LONG, 23)          /* record only: a step that kept its event loop for long */                  \
    X(WAITED, 24)        /* record only: a long wait of a task */

enum hw_kind {
#define X(name, value) HW_##name = value,
    HW_KINDS(X)
#undef X
};
#define HW_NKINDS 16 /* kinds that are states, and so have totals */

/* One interval of one thread; 32 bytes. Written once by the owner, into a chunk that it owns.
 * Records of one thread are in order of time and, BURST included, touch each other: together with the pending
 * burst and the current state in its slot they partition its life. OFFCPU, CHILD, REAPED and HOLD lie beside.
 *
 *  kind           a                 b          c                      d
 *  PYTHON         gil               stack      0                      0       stack: where the hold ended
 *  NATIVE         0                 stack      0                      0
 *  GIL            gil               stack      holder at start        who dropped it
 *  LOCK..FUTURE   lock              stack      owner at start         who woke it
 *  SLEEP, OTHER   0                 stack      0                      0
 *  IO             fd                stack      enum hw_io             0
 *  PROCESS        pid waited for    stack      0                      0
 *  START          0                 stack      creator                0       stack: of the creator, at creation
 *  BURST          native ns         io ns      gil ns                 how many intervals; the rest is PYTHON
 *  OFFCPU         ready ns, low     high       other ns, low          high
 *  CHILD          pid               stack      enum hw_child          0       a point: duration 0
 *  REAPED         pid               status     CPU ns, low            high    a point: duration 0; CPU: see below
 *  HOLD           lock              stack      0                      0       stack: where it was released
 *    of many      lock              0          held ns                how many, each short, from the first to the last
 *  STEP           unit               0          ready ns before        0
 *  STEPS          unit               how many   ran ns                 ready ns; the rest of the duration it waited
 *  LONG           unit               stack      how many were late     run delay us   as the STEP before it
 *  WAITED         unit               stack      unit waited for        woken by unit + 1 | kind of the wait << 24
 *
 * The CPU time of REAPED is the kernel's, of the child and of those that it has waited for; 0 is not known.
 *
 * Threads are slot indices, or HW_NOBODY; owner and who woke it may be of another process: HW_PEER | its number in the
 * shared file. stack is an index in the stack section plus 1; 0 is none. lock is an
 * index in the lock section, or HW_NOBODY. unit is an index in the unit section. The stack of LONG is where the unit
 * stood when it gave way, 0 if it had ended; the run delay is the kernel's, and may begin 20 ms before the step; `late` counts other units that it kept waiting: they stood in line for 10 ms
 * of it, or what they waited for was there when the loop looked for the first time afterwards. In OFFCPU, `ready` waited for a core (the kernel's run-queue figure)
 * and `other` was off the core for a reason that was not seen (a page fault, a futex of a C library); both are
 * parts of the running time inside the window.
 *
 * Of a JOIN, c is the thread that is joined. While a thread waits for a semaphore, now_d in its slot says who can end
 * that: HW_NOBODY: only threads of its own process, or a signal's handler in it; HW_AFAR: also a thread of another process
 * that has the same semaphore, and nothing else; HW_OUTSIDE: also a time limit, or any process. In all other waits now_d is 0.
 */
struct hw_record {
    uint64_t start_ns;
    uint64_t dur_kind; /* duration in ns << 8 | kind */
    uint32_t a, b, c, d;
};

enum hw_io { HW_IO_READ = 1, HW_IO_WRITE, HW_IO_POLL, HW_IO_ACCEPT, HW_IO_CONNECT, HW_IO_SYNC, HW_IO_OPEN, HW_IO_LOCK, HW_IO_RESOLVE };
enum hw_child { HW_CHILD_FORK = 1, HW_CHILD_SPAWN = 2 };

/* A chunk holds records of one thread. A thread owns at most one that is open; when no more chunks can be made,
 * the oldest full one is taken again, and what it held is counted in the header as overwritten. */
#define HW_CHUNK_BYTES 16384u
#define HW_CHUNK_RECORDS ((HW_CHUNK_BYTES - 64u) / 32u)
enum hw_chunk_state { HW_CHUNK_FREE = 0, HW_CHUNK_OPEN = 1, HW_CHUNK_FULL = 2 };

struct hw_chunk {
    uint32_t state;       /* enum hw_chunk_state; the claimer sets OPEN by compare-and-swap, the owner sets FULL */
    uint32_t slot;        /* the owner */
    uint64_t seq;         /* claims are numbered, process-wide; a thread's chunks are in this order. Changes on reuse */
    uint32_t count;       /* records that are complete; stored after them */
    uint32_t pad0;
    uint64_t last_end_ns; /* end of the newest record */
    uint64_t pad1[4];
    struct hw_record records[HW_CHUNK_RECORDS];
};

/* One thread; its index is the thread's number in the process. Slot 0 is the thread that made the file.
 * The creator fills it up to `created_ns` and sets `ready`; from then on only the owner writes, except where noted. */
#define HW_NAME_BYTES 64
struct hw_thread {
    uint32_t ready;        /* 1 once the slot can be read */
    uint32_t version;      /* odd while the owner changes since/kind/totals/burst together */
    uint32_t tid;          /* kernel's id; 0 until it has run */
    uint32_t creator;      /* slot, or HW_NOBODY */
    uint64_t created_ns;
    uint64_t begun_ns;     /* first instruction; 0 until then */
    uint64_t end_ns;       /* 0 until it has ended */
    uint64_t pthread;      /* pthread_self() = threading.get_ident() */
    char name[HW_NAME_BYTES]; /* Thread.name where known, else empty; UTF-8, cut, zero-terminated */
    uint32_t create_stack; /* stack of the creator, +1 */
    uint32_t flags;        /* enum hw_thread_flags */

    uint32_t kind;         /* current state */
    uint32_t holds;        /* GIL that it holds + 1, or 0 */
    uint64_t since_ns;     /* when the current state began */
    uint64_t hold_since_ns;
    uint32_t now_a, now_b, now_c, now_d; /* as in the record that the current state will become */

    uint64_t burst_start_ns; /* pending burst: [burst_start_ns, since_ns) when burst_count > 0 */
    uint64_t burst_native_ns, burst_io_ns, burst_gil_ns;
    uint32_t burst_count;
    uint32_t chunk;        /* open chunk + 1, or 0 */

    uint64_t total_ns[HW_NKINDS];    /* closed intervals, all of the run. PYTHON and NATIVE include off-core time */
    uint64_t total_count[HW_NKINDS];
    uint64_t hold_ns;      /* closed GIL holds, blocking calls made while holding it included */
    uint64_t hold_count;

    /* Off-core share of running time, from checkpoints of the thread's CPU clock; [0] of PYTHON, [1] of NATIVE.
     * At the end of the process, the ending thread reads the clocks of threads that are still alive. */
    uint64_t ready_cpu_ns[2]; /* run-queue wait */
    uint64_t off_other_ns[2];
    uint64_t cpu_ns;       /* CPU clock at the last reading */
    uint64_t cpu_at_ns;    /* when that was */
    uint64_t run_delay_ns; /* schedstat's run_delay at its last reading */
    uint64_t window_run_ns[2]; /* running time, PYTHON and NATIVE, since the last reading */
    uint64_t records;      /* stored, overwritten ones included */
    uint64_t lost;         /* records that found no chunk */
    uint64_t end_cpu_ns, end_run_delay_ns; /* HW_THREAD_CPU_AT_END: both clocks at the process's end_ns */

    /* Pending short holds of one lock, which it took again and again while another waited: when held_count > 0, they
     * become a HOLD of many, and are counted to the lock, when it waits for a lock, holds another, or ends. */
    uint64_t held_from_ns, held_to_ns, held_ns, held_longest_ns;
    uint32_t held_lock, held_count;
    uint64_t room[3];
};
enum hw_thread_flags {
    HW_THREAD_MAIN = 1,
    HW_THREAD_PYTHON = 2,     /* has taken a GIL */
    HW_THREAD_ADOPTED = 4,    /* not seen at its creation: created_ns is its first event */
    HW_THREAD_CPU_AT_END = 8, /* end_cpu_ns and end_run_delay_ns were read by the ending thread */
};

struct hw_gil {
    uint32_t ready;
    uint32_t holder;       /* slot, or HW_NOBODY; written by the thread that takes or drops, under the GIL's own mutex */
    uint64_t address;      /* of the condition variable */
    uint64_t created_ns;
    uint64_t taken_ns;     /* when the holder took it */
    uint64_t dropped_ns;   /* last drop */
    uint32_t dropper;      /* who dropped it last */
    uint32_t pad;
    uint64_t takes;
    uint64_t held_ns;      /* closed holds, by any thread */
};

/* A lock on which a thread has waited, or a semaphore, or the inner lock of something else: see kind. */
struct hw_lock {
    uint32_t ready;
    uint32_t kind;         /* enum hw_kind of the first wait on it: HW_LOCK for a lock proper */
    uint64_t address;
    uint32_t made_stack;   /* where it was created, +1; 0: not known */
    uint32_t identity;     /* enum hw_identity */
    uint64_t created_ns;   /* 0: not known; to a millisecond */
    uint64_t waits;        /* atomic adds by waiters, from here on */
    uint64_t wait_ns;
    uint64_t longest_ns;
    uint64_t held_ns;      /* held while at least one thread waited; added by who releases, and see pending holds */
    uint32_t longest_stack; /* of the longest wait's thread, +1 */
    uint32_t release_stack; /* of the owner at the end of the longest such hold, +1 */
    uint64_t longest_hold_ns;
    uint32_t longest_hold_slot;
    uint32_t foreign_posts; /* released by a thread that did not own it: a signal, not mutual exclusion */
    uint32_t owner;        /* who has it now: slot + 1; 0: nobody, or not known. Written by who takes it or lets go.
                            * Of one that other processes have, too, it is 0, and the shared file says it */
    uint32_t shared;       /* of such a one: its place in the shared file + 1; else 0 */
};
enum hw_identity {
    HW_IDENTITY_SEM = 1,   /* a semaphore of its own: the lock's own address, until it is destroyed */
    HW_IDENTITY_MUTEX = 2, /* PyMutex (3.13+): the mutex's address, which a later object may reuse */
};

/* How often one thread waited for a lock that another owned. */
struct hw_edge {
    uint32_t ready;
    uint32_t lock;
    uint32_t waiter, owner; /* slots; owner may be HW_NOBODY: not known, or of another process */
    uint64_t waits;
    uint64_t wait_ns;
};

/* A thread took a lock while it had others: told once for each lock, what the thread had, and thread. */
#define HW_ORDER_HELD 6u
struct hw_order {
    uint32_t ready;
    uint32_t thread;       /* slot */
    uint32_t inner;        /* the lock that it took */
    uint32_t count;        /* how many it had ... */
    uint32_t held[HW_ORDER_HELD]; /* ... and which, the first first */
    uint32_t stack;        /* where it took the inner one, +1 */
    uint32_t opposite;     /* another order + 1: of a thread that took one of those while it had this, at about the same time, and
                            * nothing that either has done tells that one came after the other; no lock is in both; 0: none */
    uint32_t epoch;        /* orders of the process are numbered; changes where it is seen again */
    uint32_t next;         /* order + 1 with an inner lock of the same hash */
    uint64_t first_ns, last_ns; /* when it was seen */
};

/* One distinct stack, innermost frame first. */
struct hw_stack {
    uint32_t ready;
    uint32_t kind;         /* how a wait on a lock under this stack is classed: LOCK..FUTURE */
    uint64_t hash;
    uint32_t first;        /* index of its first entry in the link section */
    uint32_t depth;        /* frames stored */
    uint32_t cut;          /* 1: it was deeper */
    uint32_t named;        /* 1: the kind is read from the library's names; 0: LOCK for want of a better. Besides, of one under
                            * which a lock was made: 2: it is no lock but a signal; 4: it tells nothing to who takes it */
    uint64_t hold_count, hold_ns; /* GIL holds over the threshold that ended here */
    uint64_t wait_count, wait_ns; /* waits over the threshold */
};
/* One distinct (code, line). Text: file, zero, qualified name, zero; in the text section. */
struct hw_frame {
    uint32_t ready;
    uint32_t line;         /* 0: not known */
    uint64_t hash;
    uint32_t file, name;   /* offsets in the text section */
};

/* What runs on threads in turn: a task of asyncio, a greenlet, a job of an executor. Written by the thread that it runs on,
 * under the GIL. A job is ready from when it was submitted, has its thread once, and ends when its worker asks for the
 * next one.
 *
 * A job that is sent to another process has two entries, which are put together by the pipe of their pools and its number
 * there. That of who submitted it (pool: PROCESSES) is ready until its result is back: in the queue, running, or on its
 * way. That of who ran it (pool: WORKER) has its thread from its beginning on. */
enum hw_unit_kind { HW_UNIT_KIND_TASK = 1, HW_UNIT_KIND_GREENLET = 2, HW_UNIT_KIND_JOB = 3, HW_UNIT_KINDS };
enum hw_unit_flags {
    HW_UNIT_MANY = 1,      /* stands for all further units of this code: there were too many to tell apart */
    HW_UNIT_LATE = 2,      /* first seen when it went on: what it did before is not known */
    HW_UNIT_FAILED = 4,    /* it ended with an exception */
    HW_UNIT_CANCELLED = 8,
    HW_UNIT_DROPPED = 16,  /* it was thrown away before it had ended, some time before end_ns */
    HW_UNIT_HUB = 32,      /* the greenlet that is gevent's event loop in its thread */
    HW_UNIT_MAIN = 64,     /* the greenlet that a thread begins with: seen from its first switch on */
    HW_UNIT_DESTROYED = 128, /* with DROPPED: a task of which asyncio says so itself, exactly at end_ns */
};
struct hw_unit {
    uint32_t ready;        /* 1 once the slot can be read */
    uint32_t version;      /* odd while state and totals change together */
    uint32_t kind;         /* enum hw_unit_kind */
    uint32_t flags;        /* enum hw_unit_flags */
    uint32_t creator;      /* slot of the thread that made it */
    uint32_t parent;       /* the unit that made it, or HW_NOBODY */
    uint32_t carrier;      /* slot of the thread that ran it last, or HW_NOBODY */
    uint32_t create_stack; /* of its maker, +1 */
    uint32_t code;         /* what it runs: frame + 1, of the first line; 0: not known */
    uint32_t name;         /* offset in the text section + 1; 0: not known */
    uint32_t steps;        /* times that it was given the thread; of a job of PROCESSES: results that came back */
    uint32_t count;        /* MANY: how many units; else 1 */
    uint64_t created_ns, begun_ns, end_ns; /* 0: not yet */
    uint64_t since_ns;     /* when its state began */
    uint32_t state;        /* PYTHON: it has its thread; NONE: ready; LOCK to OTHER: it waits */
    uint32_t stack;        /* where it waits, or waited last: its coroutines, +1 */
    uint32_t on;           /* the unit that it waits for; of a job: its pool; or HW_NOBODY */
    uint32_t live;         /* MANY: how many have not ended */
    uint64_t loop_ns;      /* it had its thread: the sum of its steps */
    uint64_t longest_ns;   /* the longest of these */
    uint32_t failed, cancelled; /* MANY: how many */
    uint64_t number;       /* of a job of a pool with a pipe: its number in that; else 0 */
    /* Closed intervals, all of the run, by kind; in [HW_NONE] it was ready and another had the thread. While it had the
     * thread, it did what the thread did. */
    uint64_t total_ns[HW_NKINDS];
};

/* An executor, known by its queue, from its first job on. Written by threads that have the GIL. */
enum hw_pool_kind {
    HW_POOL_THREADS = 1,
    HW_POOL_PROCESSES = 2, /* its jobs are sent to other processes: `queued` are all that have not come back, `begun` tells
                            * up to which number they were sent or left out, and what is of running jobs is 0 */
    HW_POOL_WORKER = 3,    /* this process has run jobs that came through that pipe: figures of these; name, type, size: 0 */
};
struct hw_pool {
    uint32_t ready;        /* 1 once the entry can be read */
    uint32_t version;      /* odd while the figures change together */
    uint32_t kind;         /* enum hw_pool_kind */
    uint32_t name;         /* of its threads, and of its class: offsets in the text section + 1; 0: not known */
    uint32_t type;
    uint32_t size;         /* workers that it may have; 0: not known */
    uint32_t workers;      /* threads that have run a job of it */
    uint32_t creator;      /* slot of the thread that gave it its first job ... */
    uint32_t first_stack;  /* ... and where, +1 */
    uint32_t queued, running; /* jobs, now */
    uint32_t most_queued, most_running;
    uint32_t pipe;         /* inode number of the pipe through which jobs go to their workers; 0: there is none */
    uint64_t jobs;         /* submitted and told */
    uint64_t lost;         /* not told, nor in any other figure here */
    uint64_t beside;       /* submitted while another was in the queue or ran */
    uint64_t begun, ended; /* got by a worker, of these ended */
    uint64_t failed, cancelled, dropped;
    uint64_t queue_ns, run_ns; /* of those that have begun; of those that have ended */
    uint64_t longest_queue_ns, longest_run_ns;
    uint64_t first_ns, end_ns; /* the first job; when the queue was freed, 0: it was not */
    uint64_t since_ns;     /* up to when the next four are counted */
    uint64_t some_ns;      /* at least one job ran */
    uint64_t several_ns;   /* at least two ran */
    uint64_t full_ns;      /* `size` ran, and at least one was in the queue */
    uint64_t full_queue_ns; /* the same, times how many were in the queue */
};

struct hw_section {
    uint64_t offset;       /* in the file */
    uint32_t stride;       /* bytes an entry */
    uint32_t capacity;     /* entries at most */
    uint32_t count;        /* entries in use (may be above capacity: take the smaller); atomic */
    uint32_t reserved;     /* entries whose pages are reserved */
    uint64_t lost;         /* entries that could not be stored */
};

#define HW_SECTIONS(X)                                                                                \
    X(THREADS, 0) X(GILS, 1) X(LOCKS, 2) X(EDGES, 3) X(STACKS, 4)                                     \
    X(LINKS, 5) /* uint32_t: frame indices */                                                         \
    X(FRAMES, 6)                                                                                      \
    X(TEXT, 7) /* bytes */                                                                            \
    X(CHUNKS, 8)                                                                                      \
    X(UNITS, 9)                                                                                       \
    X(POOLS, 10)                                                                                      \
    X(ORDERS, 11)
enum hw_section_id {
#define X(name, value) HW_SECTION_##name = value,
    HW_SECTIONS(X)
#undef X
    HW_NSECTIONS
};

enum hw_end { HW_END_NONE = 0, HW_END_EXIT = 1, HW_END_QUICK = 2, HW_END_EXEC = 3, HW_END_ABORT = 4 };
enum hw_flags {
    HW_FLAG_PYTHON = 1,        /* a Python interpreter is in this process */
    HW_FLAG_GIL_FOUND = 2,     /* the pair of condition variables was seen ... */
    HW_FLAG_GIL_TAKEN = 4,     /* ... and a take on it: the self-test */
    HW_FLAG_FREE_THREADED = 8, /* the interpreter says that it was built without a GIL */
    HW_FLAG_STACKS = 16,       /* the frame layout is known */
    HW_FLAG_FORKED = 32,       /* born by fork of a traced process */
    HW_FLAG_HANDLERS = 64,     /* it has signal handlers of its own, which may wake its threads */
    HW_FLAG_NO_SPACE = 128,    /* a reservation failed: the sections stopped growing, or there are none */
    HW_FLAG_PYPY = 256,
    HW_FLAG_TASKS = 512,       /* it has imported asyncio, and its tasks are seen */
    HW_FLAG_JOBS = 1024,       /* it has imported _queue, and the jobs of its executors are seen */
    HW_FLAG_GREENLETS = 2048,  /* it has imported greenlet, and its greenlets are seen */
    HW_FLAG_CHILDREN_IGNORED = 4096, /* it ignored SIGCHLD at some time: the kernel then reaps its children itself */
    HW_FLAG_ON_SIGNAL = 8192,  /* of these handlers, one is for another signal than SIGINT: asyncio.run has one for that */
};

/* First page of the file. Written by the thread that makes the file, except where noted. */
struct hw_header {
    char magic[8];
    uint32_t version;
    uint32_t header_bytes;  /* sizeof(struct hw_header) */
    uint32_t pid, ppid;
    uint64_t start_ns;      /* when tracing of this image began */
    uint64_t parent_start_ns; /* start_ns of the image that forked or execed this one; 0: not known */
    uint64_t end_ns;        /* 0: killed, or still running */
    uint32_t end;           /* enum hw_end */
    uint32_t flags;         /* enum hw_flags; atomic or */
    uint32_t python_version; /* Py_Version, e.g. 0x030b07f0; 0: not known */
    uint32_t parent_slot;   /* FORKED: the forking thread's slot in the parent's file */
    uint64_t cpu_ns;        /* process CPU clock at the end; 0: not read */
    uint64_t stack_threshold_ns;
    uint64_t coalesce_ns;   /* shorter running, I/O and GIL intervals are folded into bursts */
    uint64_t overwritten;   /* records; atomic */
    uint64_t overwritten_until_ns; /* the timeline is whole after this */
    uint64_t chunk_seq;     /* last claim */
    uint64_t untracked_threads; /* no slot could be had */
    struct hw_section sections[HW_SECTION_UNITS]; /* those before UNITS */
    uint64_t start_cpu_ns;  /* process CPU clock at start_ns: what ran before the tracer was there */
    uint32_t exit_code;
    uint32_t pad;
    char python_text[64];   /* Py_GetVersion(), cut */
    char exe[256];          /* of /proc/self/exe, cut */
    char cmdline[1024];     /* arguments, each ended by zero, cut */
    struct hw_section units; /* UNITS. At the end, and so is what follows: files without them have zeros here */
    struct hw_section pools;
    struct hw_section orders;
};

/* The file `shared`, one for the whole trace, made when a process first opens a semaphore by its name: as multiprocessing
 * makes its locks. Header page, threads, semaphores. Any process writes, by atomic stores. */
#define HW_SHARED_MAGIC "HEADSEM"
#define HW_SHARED_VERSION 1u
#define HW_SHARED_THREADS 16384u
#define HW_SHARED_SEMAPHORES 4096u /* a hash table by key: open addressing, so many probes: */
#define HW_SHARED_PROBES 64u
#define HW_SHARED_GONE 1u          /* as a key: the file system has used the number again */

struct hw_shared_header {
    char magic[8];
    uint32_t version;
    uint32_t threads;      /* how many there are; may be more than there is room for */
    uint32_t pad[12];
};
/* A thread that has taken or released one of these. */
struct hw_shared_thread {
    uint64_t start_ns;     /* of its process image; stored last, 0 until then */
    uint32_t pid;
    uint32_t slot;
};
struct hw_shared_semaphore {
    uint64_t key;          /* device << 44 | inode of its file; 0: free */
    uint32_t owner;        /* thread + 1 that took it last and has not released it; 0: nobody, or not known */
    uint32_t waker;        /* thread + 1 that released it last */
    uint32_t waiters;      /* now; one that was killed meanwhile stays counted */
    uint32_t foreign;      /* 1: released by a thread that had not taken it: a signal, without an owner */
    uint32_t value;        /* that it began with, + 1; 0: not known. It has an owner only if it began with 1 */
    uint32_t maker;        /* thread + 1 that made it; 0: not known */
    uint32_t made_stack;   /* in that one's process image, + 1 */
    uint32_t pad;
    uint64_t created_ns;
    uint64_t held_from_ns; /* since when it is held while somebody waits; 0: it is not */
    uint64_t pad1;
};

_Static_assert(sizeof(struct hw_shared_semaphore) == 64, "one cache line");
_Static_assert(sizeof(struct hw_record) == 32, "record");
_Static_assert(sizeof(struct hw_chunk) <= HW_CHUNK_BYTES, "chunk");
_Static_assert(offsetof(struct hw_chunk, records) == 64, "chunk header");
_Static_assert(sizeof(struct hw_thread) % 64 == 0, "slots lie on cache lines of their own");
_Static_assert(sizeof(struct hw_unit) == 256, "unit");
_Static_assert(sizeof(struct hw_pool) == 208, "pool");
_Static_assert(sizeof(struct hw_header) <= 4096, "header page");

#endif
