/* The table of known semaphores, and which of them other processes use. */
#define _GNU_SOURCE
#include "semaphore.h"

struct hw_semaphore *hw_semaphores;

void hw_semaphore_init(void)
{
    hw_semaphores = hw_private(HW_SETS * HW_WAYS * sizeof *hw_semaphores);
}

/* An entry in use is never pushed out: then this one stays unknown, which is said and not guessed. */
struct hw_semaphore *hw_semaphore_add(uint64_t address)
{
    if (hw_semaphores == NULL)
        return NULL;
    struct hw_semaphore *s = hw_semaphore_set(address), *idle = NULL;
    for (unsigned i = 0; i < HW_WAYS; i++)
        if (PEEK(&s[i].address) == 0 ||
            !(PEEK(&s[i].owner) | PEEK(&s[i].waiters) | PEEK(&s[i].lock) | PEEK(&s[i].made)))
            idle = &s[i];
    uint64_t there = idle != NULL ? PEEK(&idle->address) : 0;
    if (idle == NULL ||
        !__atomic_compare_exchange_n(&idle->address, &there, address, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
        return NULL;
    idle->waker = idle->foreign = 0;
    idle->created_ns = idle->held_from_ns = idle->parked_for = 0;
    return idle;
}

void hw_semaphore_forget(struct hw_semaphore *s)
{
    s->owner = s->waker = s->waiters = s->lock = s->made = s->foreign = 0;
    s->created_ns = s->held_from_ns = s->parked_for = 0;
}

/* Not emptied by fork: the child has them at the same addresses. */
#define SHARED 1024u
static uint64_t shared[SHARED];

void hw_semaphore_share(const sem_t *sem)
{
    for (uint32_t i = 0; i < SHARED; i++) {
        uint64_t none = 0, *place = &shared[((uintptr_t)sem / 32 + i) % SHARED];
        if (PEEK(place) == (uintptr_t)sem ||
            __atomic_compare_exchange_n(place, &none, (uintptr_t)sem, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
            return;
    }
}

bool hw_semaphore_is_shared(const sem_t *sem)
{
    for (uint32_t i = 0; i < SHARED; i++) {
        uint64_t there = PEEK(&shared[((uintptr_t)sem / 32 + i) % SHARED]);
        if (there == (uintptr_t)sem || there == 0)
            return there != 0;
    }
    return true; /* the table is full: claim nothing */
}
