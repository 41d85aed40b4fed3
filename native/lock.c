/* Locks: who waits, who owns, who wakes.
 *
 * Up to 3.12 every lock of CPython is a semaphore (Python/thread_pthread.h), in 3.13 most are; a PyMutex (3.13's own
 * internals, from 3.14 on also threading.Lock) parks a waiter on a semaphore on the waiter's stack, inside
 *   struct wait_entry { void *park_arg; uintptr_t addr; _PySemaphore sema; ... }   (Python/parking_lot.c)
 * so the word before such a semaphore is the address of what is really waited for.
 *
 * Ownership is an inference: the last thread that acquired without having released. It is not claimed where a thread
 * would own what it waits for itself, or where others than the owner release (Condition's inner locks, SimpleQueue):
 * those are signals, not mutual exclusion.
 */
#define _GNU_SOURCE
#include <stdarg.h>

#include "semaphore.h"

#define HOLDS_NS 1000000u /* short holds are put together for so long */
#define MADE_DEPTH 8 /* frames: enough to leave the standard library; locks are made often */

#define EDGE_SIZE (1u << 17)
static uint32_t *edges; /* open addressing; entries are edge index + 1 */

void hw_lock_init(void)
{
    hw_semaphore_init();
    edges = hw_private(EDGE_SIZE * sizeof *edges);
}

static struct hw_lock *lock_of(struct hw_semaphore *k, uint32_t kind, enum hw_identity identity)
{
    if (k->lock == 0) {
        uint32_t index = hw_append(HW_SECTION_LOCKS, 1);
        if (index == HW_NOBODY)
            return NULL;
        struct hw_lock *lock = hw_entry(HW_SECTION_LOCKS, index);
        lock->kind = kind;
        lock->address = k->address;
        lock->made_stack = k->made;
        lock->identity = identity;
        lock->created_ns = k->created_ns;
        lock->longest_hold_slot = HW_NOBODY;
        STORE(&lock->ready, 1);
        uint32_t none = 0;
        /* Two first waiters at once: the loser's entry stays empty. */
        __atomic_compare_exchange_n(&k->lock, &none, index + 1, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
        lock = hw_entry(HW_SECTION_LOCKS, LOAD(&k->lock) - 1);
        /* Subtle: read after the entry can be found. From then on who takes or releases writes here; who released
         * before that has taken itself off k->owner before the semaphore was posted. So no earlier owner stays here. */
        uint32_t owner = PEEK(&k->owner), nobody = 0;
        __atomic_compare_exchange_n(&lock->owner, &nobody, owner, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
    }
    return hw_entry(HW_SECTION_LOCKS, k->lock - 1);
}

/* Says in the file who has a lock, once somebody has waited for it. */
static inline void owned_by(struct hw_semaphore *k, uint32_t owner)
{
    uint32_t lock = LOAD(&k->lock);
    STORE(&k->owner, owner);
    if (UNLIKELY(lock != 0))
        STORE(&((struct hw_lock *)hw_entry(HW_SECTION_LOCKS, lock - 1))->owner, owner);
}

static void add_edge(uint32_t lock, uint32_t waiter, uint32_t owner, uint64_t ns)
{
    uint64_t h = ((uint64_t)lock << 40 ^ (uint64_t)waiter << 20 ^ owner) * 0x9e3779b97f4a7c15u >> 40;
    for (uint32_t probes = 0; edges != NULL && probes < 64; probes++) {
        uint32_t *place = &edges[(h + probes) % EDGE_SIZE], found = LOAD(place);
        if (found == 0) {
            uint32_t index = hw_append(HW_SECTION_EDGES, 1);
            if (index == HW_NOBODY)
                return;
            struct hw_edge *e = hw_entry(HW_SECTION_EDGES, index);
            e->lock = lock;
            e->waiter = waiter;
            e->owner = owner;
            STORE(&e->ready, 1);
            if (!__atomic_compare_exchange_n(place, &found, index + 1, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
                probes--; /* another thread was first; its edge may be ours */
                STORE(&e->ready, 0);
                continue;
            }
            found = index + 1;
        }
        struct hw_edge *e = hw_entry(HW_SECTION_EDGES, found - 1);
        if (e->lock == lock && e->waiter == waiter && e->owner == owner) {
            ADD(&e->waits, 1);
            ADD(&e->wait_ns, ns);
            return;
        }
    }
    ADD(&hw.header->sections[HW_SECTION_EDGES].lost, 1);
}

/* A semaphore on the caller's own stack is a parking place (see above). */
static bool parks(const sem_t *sem)
{
    uintptr_t here = (uintptr_t)__builtin_frame_address(0), there = (uintptr_t)sem;
    return there > here && there - here < 2048;
}

/* What a thread parks for, by its park_arg: PyMutex gives a struct mutex_entry, which begins with a time and so is not
 * zero; SimpleQueue.get gives the place for the item, which is still empty; PyEvent gives none. */
static uint32_t parked_kind(const sem_t *sem)
{
    uintptr_t arg = ((const uint64_t *)sem)[-2], here = (uintptr_t)sem;
    if (arg <= here || arg - here > 4096)
        return HW_CONDITION;
    return *(const uint64_t *)arg != 0 ? HW_LOCK : HW_QUEUE;
}

static void acquired(struct hw_semaphore *k, uint64_t now)
{
    owned_by(k, hw_self.index + 1);
    if (PEEK(&k->waiters) != 0 && k->held_from_ns == 0)
        k->held_from_ns = now ? now : hw_now();
}

/* ---- holds ---- */

void hw_flush_holds(struct hw_thread *t)
{
    uint32_t count = t->held_count;
    if (count == 0)
        return;
    hw_beside(t, t->held_from_ns, t->held_to_ns, HW_HOLD, t->held_lock, 0, count == 1 ? 0 : (uint32_t)t->held_ns,
              count == 1 ? 0 : count);
    POKE(&t->held_count, 0);
}

/* `again`: nobody else had it since this thread released it last. */
static void short_hold(struct hw_thread *t, uint32_t lock, uint64_t from, uint64_t now, bool again)
{
    if (t->held_count == 0 || t->held_lock != lock || !again || now - t->held_from_ns > HOLDS_NS) {
        hw_flush_holds(t);
        t->held_from_ns = from;
        t->held_ns = 0;
        t->held_lock = lock;
    }
    hw_change(&t->version);
    t->held_to_ns = now;
    t->held_ns += now - from;
    POKE(&t->held_count, t->held_count + 1);
    hw_change(&t->version);
}

/* ---- waits ---- */

struct wait {
    struct hw_thread *t;
    struct hw_semaphore *sem, *what; /* differ for a parking place */
    uint64_t start;
    uint32_t owner;
    uint32_t lock; /* index, or HW_NOBODY */
    bool parks;
};

/* Who is joined, from 3.13 on: the event lies in a ThreadHandle (Modules/_threadmodule.c), which has, a few words before,
 *   PyThread_ident_t ident; PyThread_handle_t os_handle; int has_os_handle, state; PyMutex mutex; PyEvent thread_is_exiting;
 * Both are its pthread_self(), which nothing else in such a place can be. */
static uint32_t joined(uint64_t event)
{
    const uint64_t *handle = (const uint64_t *)(event & ~7ull);
    if (handle[-2] != handle[-3])
        return HW_NOBODY;
    for (uint32_t i = PEEK(&hw.header->sections[HW_SECTION_THREADS].count); i-- > 0;) {
        const struct hw_thread *t = hw_entry(HW_SECTION_THREADS, i);
        if (t->pthread == handle[-2] && LOAD(&t->ready) && LOAD(&t->end_ns) == 0)
            return i;
    }
    return HW_NOBODY;
}

/* `limited`: it gives up after a time. */
static struct wait begin(sem_t *sem, bool limited)
{
    struct wait w = {.t = hw_in(), .parks = parks(sem), .owner = HW_NOBODY, .lock = HW_NOBODY};
    if (w.t == NULL)
        return w;
    if (UNLIKELY(hw_waits(w.t))) { /* part of the wait that a signal handler interrupted */
        w.t = NULL;
        hw_out();
        return w;
    }
    w.sem = hw_semaphore_at((uint64_t)sem);
    w.what = w.sem;
    if (w.parks) {
        w.what = hw_semaphore_at(((const uint64_t *)sem)[-1]);
        if (w.sem != NULL && w.what != NULL) {
            w.sem->parked_for = w.what->address;
            POKE(&w.sem->waiters, 1);
        }
    }
    hw_flush_holds(w.t);
    hw_self.interrupted = false;
    uint32_t stack = w.t->holds ? 0 : hw_stack(HW_DEPTH); /* as in hw_block */
    const struct hw_stack *where = stack ? hw_entry(HW_SECTION_STACKS, stack - 1) : NULL;
    uint32_t kind = where != NULL ? where->kind : HW_LOCK;
    bool named = where != NULL && where->named; /* a Semaphore's inner lock, say: waited for under another name */
    w.start = hw_now();
    if (w.what != NULL) {
        uint32_t owner = PEEK(&w.what->owner);
        if (w.parks && !named)
            kind = parked_kind(sem);
        if (hw_semaphore_is_shared(sem)) {
            owner = 0; /* another process may have it */
            limited = true;
        } else if (kind == HW_JOIN) {
            /* Up to 3.12 a thread takes a lock of its own when it begins. */
            w.owner = w.parks ? joined(w.what->address) : owner != 0 ? owner - 1 : HW_NOBODY;
        } else if (!w.parks && !named) {
            bool foreign = PEEK(&w.what->foreign) != 0;
            if (owner == hw_self.index + 1 || foreign)
                kind = HW_CONDITION; /* a signal that another thread gives; or it has it and will wait for ever */
            if (owner != 0 && !foreign)
                w.owner = owner - 1;
        }
        /* The inner lock of a Condition lives for one wait: only locks proper are worth an entry. */
        if (kind == HW_LOCK && !named && lock_of(w.what, kind, w.parks ? HW_IDENTITY_MUTEX : HW_IDENTITY_SEM) != NULL)
            w.lock = w.what->lock - 1;
        ADD(&w.what->waiters, 1);
        if (w.what->held_from_ns == 0 && (owner != 0 || w.parks))
            w.what->held_from_ns = w.start;
        if (w.sem != NULL)
            POKE(&w.sem->waker, 0);
    }
    hw_switch(w.t, w.start, kind, w.lock, w.owner);
    w.t->now_b = stack;
    w.t->now_d = limited ? HW_OUTSIDE : HW_NOBODY;
    hw_out();
    return w;
}

static void end(struct wait *w, bool got)
{
    struct hw_thread *t = w->t;
    if (t == NULL || t != hw_self.slot || hw_self.busy)
        return;
    hw_self.busy = true;
    int saved = errno;
    uint64_t now = hw_now();
    uint64_t waited = now - w->start;
    if (t->now_b != 0 && waited >= hw.stack_threshold_ns) {
        struct hw_stack *s = hw_entry(HW_SECTION_STACKS, t->now_b - 1);
        ADD(&s->wait_count, 1);
        ADD(&s->wait_ns, waited);
    }
    struct hw_semaphore *k = w->what;
    if (k != NULL) {
        uint32_t waker = got && w->sem != NULL ? PEEK(&w->sem->waker) : 0;
        t->now_d = waker ? waker - 1 : HW_NOBODY;
        /* Who releases a mutex is who held it. */
        if (w->parks && t->kind == HW_LOCK && waker != 0)
            w->owner = t->now_c = waker - 1;
        ADD(&k->waiters, -1u);
        if (w->lock != HW_NOBODY) {
            struct hw_lock *lock = hw_entry(HW_SECTION_LOCKS, w->lock);
            ADD(&lock->waits, 1);
            ADD(&lock->wait_ns, waited);
            if (waited > PEEK(&lock->longest_ns)) {
                POKE(&lock->longest_ns, waited);
                POKE(&lock->longest_stack, t->now_b);
            }
            add_edge(w->lock, hw_self.index, w->owner, waited);
        }
        if (got && !w->parks)
            acquired(k, now);
    } else {
        t->now_d = HW_NOBODY;
    }
    hw_resume(t, now);
    errno = saved;
    hw_out();
}

/* The calling thread has it, and did not wait. */
static void took(sem_t *sem)
{
    if (hw_in() == NULL)
        return;
    struct hw_semaphore *k = hw_semaphore_at((uint64_t)sem);
    if (k != NULL)
        acquired(k, 0);
    hw_out();
}

/* Takes it without waiting, if it is free. */
static bool at_once(sem_t *sem)
{
    int saved = errno;
    if (REAL(sem_trywait)(sem) != 0) {
        errno = saved;
        return false;
    }
    took(sem);
    return true;
}

EXPORT sem_t *sem_open(const char *name, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    mode_t mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
    unsigned value = flags & O_CREAT ? va_arg(args, unsigned) : 0;
    va_end(args);
    sem_t *sem = REAL(sem_open)(name, flags, mode, value);
    if (sem != SEM_FAILED)
        hw_semaphore_share(sem);
    return sem;
}

EXPORT int sem_init(sem_t *sem, int shared, unsigned value)
{
    int r = REAL(sem_init)(sem, shared, value);
    struct hw_thread *t;
    if (shared)
        hw_semaphore_share(sem);
    if (r == 0 && (t = hw_in()) != NULL) {
        bool proper = t->holds && !parks(sem);
        uint32_t made = proper ? hw_stack(MADE_DEPTH) : 0;
        struct hw_semaphore *k = made != 0 ? hw_semaphore_new((uint64_t)sem) : hw_semaphore_find((uint64_t)sem);
        if (k != NULL) {
            owned_by(k, 0);
            hw_semaphore_forget(k);
            k->made = made;
            k->created_ns = proper ? hw_now() : 0;
        }
        hw_out();
    }
    return r;
}

EXPORT int sem_destroy(sem_t *sem)
{
    if (hw_in() != NULL) {
        struct hw_semaphore *k = hw_semaphore_find((uint64_t)sem);
        if (k != NULL) {
            owned_by(k, 0);
            hw_semaphore_forget(k);
            STORE(&k->address, 0);
        }
        hw_out();
    }
    return REAL(sem_destroy)(sem);
}

EXPORT int sem_trywait(sem_t *sem)
{
    int r = REAL(sem_trywait)(sem);
    if (r == 0)
        took(sem);
    return r;
}

EXPORT int sem_wait(sem_t *sem)
{
    if (!hw.on)
        return REAL(sem_wait)(sem);
    if (at_once(sem))
        return 0;
    struct wait w = begin(sem, false);
    int r = hw_interrupted(w.t) ? (errno = EINTR, -1) : REAL(sem_wait)(sem);
    end(&w, r == 0);
    return r;
}

EXPORT int sem_timedwait(sem_t *sem, const struct timespec *deadline)
{
    if (!hw.on)
        return REAL(sem_timedwait)(sem, deadline);
    if (at_once(sem))
        return 0;
    struct wait w = begin(sem, true);
    int r = hw_interrupted(w.t) ? (errno = EINTR, -1) : REAL(sem_timedwait)(sem, deadline);
    end(&w, r == 0);
    return r;
}

EXPORT int sem_clockwait(sem_t *sem, clockid_t clock, const struct timespec *deadline)
{
    if (!hw.on)
        return REAL(sem_clockwait)(sem, clock, deadline);
    if (at_once(sem))
        return 0;
    struct wait w = begin(sem, true);
    int r = hw_interrupted(w.t) ? (errno = EINTR, -1) : REAL(sem_clockwait)(sem, clock, deadline);
    end(&w, r == 0);
    return r;
}

/* The owner lets go while others wait: what they lost meanwhile is counted to the lock. */
static void released(struct hw_thread *t, struct hw_semaphore *k, bool owned, bool again)
{
    uint64_t from = k->held_from_ns;
    if (from == 0 || k->lock == 0 || !owned) {
        k->held_from_ns = 0;
        return;
    }
    struct hw_lock *lock = hw_entry(HW_SECTION_LOCKS, k->lock - 1);
    uint64_t now = hw_now(), held = now - from;
    k->held_from_ns = k->waiters > 1 && k->owner == 0 ? now : 0; /* a mutex goes to the next waiter */
    uint32_t stack = held >= hw.stack_threshold_ns ? hw_stack(HW_DEPTH) : 0;
    if (held < hw.coalesce_ns && stack == 0) {
        short_hold(t, k->lock - 1, from, now, again);
    } else {
        hw_flush_holds(t);
        hw_beside(t, from, now, HW_HOLD, k->lock - 1, stack, 0, 0);
    }
    ADD(&lock->held_ns, held);
    if (held > PEEK(&lock->longest_hold_ns)) {
        POKE(&lock->longest_hold_ns, held);
        POKE(&lock->longest_hold_slot, hw_self.index);
        POKE(&lock->release_stack, stack);
    }
}

EXPORT int sem_post(sem_t *sem)
{
    struct hw_thread *t = hw_in();
    if (t != NULL) {
        struct hw_semaphore *k = hw_semaphore_find((uint64_t)sem);
        if (k != NULL) {
            bool again = k->waker == hw_self.index + 1;
            POKE(&k->waker, hw_self.index + 1);
            bool owned = k->owner == hw_self.index + 1;
            if (!owned && k->owner != 0 && k->foreign++ == 0 && k->lock != 0)
                ((struct hw_lock *)hw_entry(HW_SECTION_LOCKS, k->lock - 1))->foreign_posts = 1;
            if (UNLIKELY((k->waiters | k->parked_for) != 0)) {
                int saved = errno;
                /* Of a mutex, who wakes the waiter is who held it. */
                struct hw_semaphore *what = k->parked_for != 0 ? hw_semaphore_find(k->parked_for) : k;
                if (what != NULL)
                    released(t, what, owned || what != k, again && what == k);
                errno = saved;
            }
            owned_by(k, 0);
        }
        hw_out();
    }
    return REAL(sem_post)(sem);
}
