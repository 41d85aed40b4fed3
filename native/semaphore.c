/* The table of known semaphores, and which of them other processes use. */
#define _GNU_SOURCE
#include "semaphore.h"

struct hw_semaphore *hw_semaphores;
static struct hw_shared_semaphore *known_of(uint64_t address);

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
    idle->created = idle->posted = 0;
    idle->held_from_ns = idle->parked_for = 0;
    idle->shared = hw_semaphore_is_mapped(address) ? known_of(address) : NULL;
    return idle;
}

void hw_semaphore_forget(struct hw_semaphore *s)
{
    s->owner = s->waker = s->waiters = s->lock = s->made = s->foreign = 0;
    s->created = s->posted = 0;
    s->held_from_ns = s->parked_for = 0;
    s->shared = NULL;
}

/* Not emptied by fork: the child has them at the same addresses. */
#define SHARED 1024u
#define UNUSED 1u /* as an address: there was one */
static struct {
    uint64_t address;
    struct hw_shared_semaphore *known;
} shared[SHARED];

/* Its place among the shared ones, SHARED if it is not there. */
static uint32_t place_of(uint64_t address, bool *full)
{
    *full = false;
    for (uint32_t i = 0; i < SHARED; i++) {
        uint32_t place = (uint32_t)((address / 32 + address / 4096 + i) % SHARED);
        uint64_t there = PEEK(&shared[place].address);
        if (there == address)
            return place;
        if (there == 0)
            return SHARED;
    }
    *full = true;
    return SHARED;
}

static struct hw_shared_semaphore *known_of(uint64_t address)
{
    bool full;
    uint32_t place = place_of(address, &full);
    return place < SHARED ? LOAD(&shared[place].known) : NULL;
}

void hw_semaphore_share(const sem_t *sem, struct hw_shared_semaphore *known)
{
    uint64_t address = (uintptr_t)sem;
    bool full;
    uint32_t place = place_of(address, &full);
    for (uint32_t i = 0; place == SHARED && i < SHARED; i++) {
        uint32_t at = (uint32_t)((address / 32 + address / 4096 + i) % SHARED);
        uint64_t there = PEEK(&shared[at].address);
        if (there <= UNUSED &&
            __atomic_compare_exchange_n(&shared[at].address, &there, address, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
            place = at;
    }
    if (place < SHARED)
        STORE(&shared[place].known, known);
    struct hw_semaphore *k = hw_semaphore_find(address);
    if (k != NULL) {
        hw_semaphore_forget(k); /* of what was at this address before */
        k->shared = place < SHARED ? known : NULL;
    }
}

void hw_semaphore_unshare(const sem_t *sem)
{
    bool full;
    uint32_t place = place_of((uintptr_t)sem, &full);
    if (place < SHARED) {
        STORE(&shared[place].known, NULL);
        STORE(&shared[place].address, UNUSED);
    }
}

bool hw_semaphore_is_shared(const sem_t *sem)
{
    bool full;
    return place_of((uintptr_t)sem, &full) < SHARED || full; /* the table is full: claim nothing */
}
