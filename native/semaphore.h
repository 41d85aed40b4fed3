/* What is known of each semaphore, and of each PyMutex that somebody parked for, by address. */
#ifndef HEADWAY_SEMAPHORE_H
#define HEADWAY_SEMAPHORE_H

#include "tracer.h"

/* One cache line. Fields are racy where two threads use one semaphore at once; each store is of a whole value that was
 * true at that moment. */
struct hw_semaphore {
    uint64_t address;     /* 0: free */
    uint32_t owner;       /* slot + 1, 0: nobody or not known */
    uint32_t waker;       /* slot + 1 of the last poster */
    uint32_t waiters;     /* now */
    uint32_t lock;        /* index in the lock section + 1; 0: nobody has waited on it */
    uint32_t made;        /* stack + 1 */
    uint32_t foreign;     /* posts by a thread that did not own it */
    uint32_t created;     /* in units of 2^20 ns since the process's start, + 1; 0: not known */
    uint32_t posted;      /* hw_self.known of the last poster */
    uint64_t held_from_ns; /* since when it is held while somebody waits; 0: it is not */
    uint64_t parked_for;  /* a parking place: the address that its thread really waits for */
    struct hw_shared_semaphore *shared; /* what all processes know of it; then owner, waker, foreign, held_from_ns are there */
};
_Static_assert(sizeof(struct hw_semaphore) == 64, "one cache line");

#define HW_SETS 8192u
#define HW_WAYS 4u
extern struct hw_semaphore *hw_semaphores; /* HW_SETS * HW_WAYS, or NULL */

void hw_semaphore_init(void);
struct hw_semaphore *hw_semaphore_add(uint64_t address);
void hw_semaphore_forget(struct hw_semaphore *s);
/* Other processes use it, too. `shared`: NULL if nothing is known of what they do. */
void hw_semaphore_share(const sem_t *sem, struct hw_shared_semaphore *shared);
void hw_semaphore_unshare(const sem_t *sem); /* its place in memory is used for another one */
bool hw_semaphore_is_shared(const sem_t *sem);
static inline bool hw_semaphore_is_mapped(uint64_t address) /* as sem_open gives it: at the beginning of a page */
{
    return (address & 4095u) == 0;
}

/* ---- shared.c: semaphores of several processes. The caller is inside the tracer ---- */
struct hw_shared_semaphore *hw_shared_open(const char *name, bool made, unsigned value, uint32_t stack);
uint32_t hw_shared_number(const struct hw_shared_semaphore *s);
uint32_t hw_shared_self(void);                 /* this thread's number + 1; 0: there is no room */
uint32_t hw_shared_slot(uint32_t thread);      /* + 1: slot of this process, or of another's, or HW_NOBODY */
/* Did it begin free, with room for one, and was only ever released by who had it? */
static inline bool hw_shared_is_lock(const struct hw_shared_semaphore *s)
{
    return PEEK(&s->value) == 2 && PEEK(&s->foreign) == 0;
}

/* ---- edge.c, hold.c. Locks are places in the lock section; in hw_held + 1 ---- */
void hw_edge_init(void);
void hw_edge_add(uint32_t lock, uint32_t waiter, uint32_t owner, uint64_t ns);
void hw_held(struct hw_thread *t, uint32_t lock, uint64_t from, uint64_t now, bool again);

/* ---- order.c: which locks a thread takes while it has others ---- */
bool hw_order_init(void);
void hw_order_nested(struct hw_semaphore *k);
void hw_order_hear(const struct hw_semaphore *k);
void hw_order_forget(const struct hw_semaphore *k);
uint32_t hw_lock_number(struct hw_semaphore *k); /* lock.c: its place in the lock section + 1, or 0 */

static inline void hw_order_taken(struct hw_semaphore *k, bool from_others)
{
    uint32_t before = hw_self.heard;
    bool proper = k->made != 0 || k->shared != NULL;
    if (UNLIKELY(hw_self.taken_count != 0) && proper)
        hw_order_nested(k);
    if (from_others && UNLIKELY(k->posted > before || hw_self.taken_count != 0 || k->shared != NULL))
        hw_order_hear(k);
    uint32_t n = hw_self.taken_count;
    if (proper && LIKELY(n < HW_TAKEN)) {
        hw_self.taken[n] = (struct hw_taken){k, k->address, before, 0};
        hw_self.taken_count = n + 1;
    }
}

static inline void hw_order_released(struct hw_semaphore *k)
{
    uint32_t n = hw_self.taken_count;
    POKE(&k->posted, hw_self.known);
    if (LIKELY(n != 0 && hw_self.taken[n - 1].sem == k))
        hw_self.taken_count = n - 1;
    else if (n != 0)
        hw_order_forget(k);
}

/* Locks that were made together are used together, so neighbours in memory are neighbours here: each page of the table
 * that is touched costs a fault of 3 us. In 128 bytes malloc puts no more than three semaphores. */
static inline struct hw_semaphore *hw_semaphore_set(uint64_t address)
{
    uint64_t far = (address >> 20) * 0x9e3779b97f4a7c15u >> 51;
    return hw_semaphores + ((address >> 7) + far) % HW_SETS * HW_WAYS;
}

static inline struct hw_semaphore *hw_semaphore_find(uint64_t address)
{
    if (UNLIKELY(hw_semaphores == NULL))
        return NULL;
    struct hw_semaphore *s = hw_semaphore_set(address);
    for (unsigned i = 0; i < HW_WAYS; i++)
        if (PEEK(&s[i].address) == address)
            return &s[i];
    return NULL;
}

/* Finds or makes; NULL if there is no place for it. */
static inline struct hw_semaphore *hw_semaphore_at(uint64_t address)
{
    struct hw_semaphore *s = hw_semaphore_find(address);
    return LIKELY(s != NULL) ? s : hw_semaphore_add(address);
}

/* The same for one that is new. Its set is written to before it is read: where that is the first touch of a page, it is
 * one fault and not two. */
static inline struct hw_semaphore *hw_semaphore_new(uint64_t address)
{
    if (LIKELY(hw_semaphores != NULL))
        ADD(&hw_semaphore_set(address)->address, 0);
    return hw_semaphore_at(address);
}

#endif
