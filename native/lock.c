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
#include <fcntl.h>
#include <stdarg.h>

#include "semaphore.h"

#define MADE_DEPTH 8 /* frames: enough to leave the standard library; locks are made often */
#define OPENED_DEPTH 24 /* the same of multiprocessing's, which are not */

void hw_lock_init(void)
{
    hw_semaphore_init();
    hw_edge_init();
    hw_order_init();
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
        lock->created_ns = k->created != 0 ? hw.header->start_ns + ((uint64_t)(k->created - 1) << 20) : 0;
        lock->foreign_posts = k->foreign != 0;
        lock->longest_hold_slot = HW_NOBODY;
        lock->shared = k->shared != NULL ? hw_shared_number(k->shared) + 1 : 0;
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

uint32_t hw_lock_number(struct hw_semaphore *k)
{
    return lock_of(k, HW_LOCK, HW_IDENTITY_SEM) != NULL ? k->lock : 0;
}

/* Says in the file who has a lock, once somebody has waited for it. */
static inline void owned_by(struct hw_semaphore *k, uint32_t owner)
{
    uint32_t lock = LOAD(&k->lock);
    STORE(&k->owner, owner);
    if (UNLIKELY(lock != 0))
        STORE(&((struct hw_lock *)hw_entry(HW_SECTION_LOCKS, lock - 1))->owner, owner);
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

/* Of one that other processes have, too: what is said of it is said to them. */
static void acquired_shared(struct hw_shared_semaphore *s, uint64_t now)
{
    if (PEEK(&s->value) != 2)
        return;
    STORE(&s->owner, hw_shared_self());
    if (PEEK(&s->waiters) != 0 && PEEK(&s->held_from_ns) == 0)
        POKE(&s->held_from_ns, now ? now : hw_now());
}

static void acquired(struct hw_semaphore *k, uint64_t now)
{
    hw_order_taken(k, k->waker != hw_self.index + 1);
    if (UNLIKELY(k->shared != NULL)) {
        acquired_shared(k->shared, now);
        return;
    }
    owned_by(k, hw_self.index + 1);
    if (PEEK(&k->waiters) != 0 && k->held_from_ns == 0)
        k->held_from_ns = now ? now : hw_now();
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

/* What is waited for, who has it, and who can end the wait, of a semaphore that other processes have, too. One that began
 * with 0, or that others release than who took it, is a signal. */
static void begin_shared(struct wait *w, uint32_t *kind, bool named, bool *limited, bool *afar)
{
    const struct hw_shared_semaphore *s = w->what->shared;
    uint32_t value = s != NULL ? PEEK(&s->value) : 0;
    *afar = s != NULL && !*limited && !named && hw_shared_is_lock(s);
    *limited |= !*afar;
    if (named || s == NULL || *kind != HW_LOCK)
        return;
    if (value == 1 || (value == 2 && !hw_shared_is_lock(s))) {
        *kind = HW_CONDITION;
    } else if (value == 2) {
        w->owner = hw_shared_slot(PEEK(&s->owner));
        if (w->owner == hw_self.index)
            *kind = HW_CONDITION; /* as below */
    }
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
    bool named = where != NULL && (where->named & 1); /* a Semaphore's inner lock, say: waited for under another name */
    bool afar = false;
    w.start = hw_now();
    if (w.what != NULL) {
        uint32_t owner = PEEK(&w.what->owner);
        if (w.parks && !named)
            kind = parked_kind(sem);
        if (w.what->shared != NULL || hw_semaphore_is_shared(sem)) {
            owner = 0;
            begin_shared(&w, &kind, named, &limited, &afar);
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
        if (w.what->shared != NULL && w.lock != HW_NOBODY) {
            ADD(&w.what->shared->waiters, 1);
            if (w.owner != HW_NOBODY && PEEK(&w.what->shared->held_from_ns) == 0)
                POKE(&w.what->shared->held_from_ns, w.start);
        }
        if (w.sem != NULL)
            POKE(&w.sem->waker, 0);
    }
    hw_switch(w.t, w.start, kind, w.lock, w.owner);
    w.t->now_b = stack;
    w.t->now_d = limited ? HW_OUTSIDE : afar ? HW_AFAR : HW_NOBODY;
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
        if (k->shared != NULL)
            t->now_d = got ? hw_shared_slot(PEEK(&k->shared->waker)) : HW_NOBODY;
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
            hw_edge_add(w->lock, hw_self.index, w->owner, waited);
            if (k->shared != NULL)
                ADD(&k->shared->waiters, -1u);
        }
        if (got && !w->parks)
            acquired(k, now);
        else if (w->parks)
            hw_order_hear_all();
    } else {
        t->now_d = HW_NOBODY;
        hw_order_hear_all();
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
    else
        hw_order_hear_all(); /* there was no place for it */
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
    if (sem != SEM_FAILED) {
        struct hw_thread *t = hw_in();
        bool made = (flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL);
        struct hw_shared_semaphore *s = NULL;
        if (t != NULL && hw_semaphore_is_mapped((uintptr_t)sem))
            s = hw_shared_open(name, made, value, made && t->holds ? hw_stack(OPENED_DEPTH) : 0);
        hw_semaphore_share(sem, s);
        if (t != NULL)
            hw_out();
    }
    return sem;
}

EXPORT int sem_init(sem_t *sem, int shared, unsigned value)
{
    int r = REAL(sem_init)(sem, shared, value);
    struct hw_thread *t;
    if (shared)
        hw_semaphore_share(sem, NULL);
    else if (UNLIKELY(hw_semaphore_is_mapped((uintptr_t)sem)))
        hw_semaphore_unshare(sem);
    if (r == 0 && (t = hw_in()) != NULL) {
        bool proper = t->holds && !parks(sem);
        uint32_t made = proper ? hw_stack(MADE_DEPTH) : 0;
        struct hw_semaphore *k = made != 0 ? hw_semaphore_new((uint64_t)sem) : hw_semaphore_find((uint64_t)sem);
        if (k != NULL) {
            owned_by(k, 0);
            hw_semaphore_forget(k);
            k->made = made;
            k->created = proper ? (uint32_t)((hw_now() - hw.header->start_ns) >> 20) + 1 : 0;
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

static void released(struct hw_thread *t, struct hw_semaphore *k, bool owned, bool again)
{
    uint64_t from = k->held_from_ns;
    if (from == 0 || k->lock == 0 || !owned) {
        k->held_from_ns = 0;
        return;
    }
    uint64_t now = hw_now();
    k->held_from_ns = k->waiters > 1 && k->owner == 0 ? now : 0; /* a mutex goes to the next waiter */
    hw_held(t, k->lock, from, now, again);
}

static void released_shared(struct hw_thread *t, struct hw_semaphore *k)
{
    struct hw_shared_semaphore *s = k->shared;
    hw_order_released(k);
    uint32_t me = hw_shared_self();
    bool again = PEEK(&s->waker) == me, owned = me != 0 && PEEK(&s->owner) == me;
    POKE(&s->waker, me);
    if (PEEK(&s->value) != 2)
        return;
    if (!owned)
        STORE(&s->foreign, 1);
    uint64_t from = PEEK(&s->held_from_ns);
    if (UNLIKELY(from != 0)) {
        POKE(&s->held_from_ns, 0);
        /* Nobody here may have waited for it. */
        if (owned && PEEK(&s->waiters) != 0 && lock_of(k, HW_LOCK, HW_IDENTITY_SEM) != NULL)
            hw_held(t, k->lock, from, hw_now(), again);
    }
    STORE(&s->owner, 0);
}

EXPORT int sem_post(sem_t *sem)
{
    struct hw_thread *t = hw_in();
    if (t != NULL) {
        struct hw_semaphore *k = hw_semaphore_find((uint64_t)sem);
        if (UNLIKELY(k == NULL && hw_semaphore_is_mapped((uint64_t)sem)))
            k = hw_semaphore_at((uint64_t)sem); /* after a fork, another process may have taken it */
        if (k != NULL && UNLIKELY(k->shared != NULL)) {
            int saved = errno;
            released_shared(t, k);
            errno = saved;
        } else if (k != NULL) {
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
            hw_order_released(k);
        }
        hw_out();
    }
    return REAL(sem_post)(sem);
}
