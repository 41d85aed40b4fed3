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
    uint64_t created_ns;
    uint64_t held_from_ns; /* since when it is held while somebody waits; 0: it is not */
    uint64_t parked_for;  /* a parking place: the address that its thread really waits for */
    uint64_t pad;
};
_Static_assert(sizeof(struct hw_semaphore) == 64, "one cache line");

#define HW_SETS 8192u
#define HW_WAYS 4u
extern struct hw_semaphore *hw_semaphores; /* HW_SETS * HW_WAYS, or NULL */

void hw_semaphore_init(void);
struct hw_semaphore *hw_semaphore_add(uint64_t address);
void hw_semaphore_forget(struct hw_semaphore *s);
void hw_semaphore_share(const sem_t *sem); /* other processes use it, too */
bool hw_semaphore_is_shared(const sem_t *sem);

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
