/* Jobs that run in another process than the one that submitted them. Each tells its half, in its own file: who submitted
 * it, when and where; and who ran it, from when to when, and what it did meanwhile. Whoever reads the files puts them
 * together: both halves have the job's number in its pool, and the pool's pipe, which the kernel numbers.
 *
 * Whoever calls holds the GIL, and is outside the tracer. A number has 50 bits.
 */
#define _GNU_SOURCE
#include "python_api.h"
#include "tracer.h"

/* Where the job is in the table: at no address. The table does not look at the lowest four bits. `space`: those of one
 * space have different numbers. */
static const void *key_of(uint32_t space, uint64_t number)
{
    uint64_t low = number & (((uint64_t)1 << 46) - 1), high = number >> 46 & 15;
    return (const void *)((uintptr_t)1 << 63 | (uintptr_t)space << 50 | low << 4 | high);
}

static struct hw_pool *pool_at(uint32_t pool)
{
    return hw_entry(HW_SECTION_POOLS, pool - 1);
}

uint32_t hw_away_known(object queue)
{
    if (!hw_in_main())
        return 0;
    uint32_t pool = hw_pool_of(queue);
    hw_out();
    return pool;
}

uint32_t hw_away_pool(object queue, enum hw_pool_kind kind, const char *type, uint32_t size, uint32_t pipe)
{
    uint32_t pool = 0;
    object reference = pipe != 0 ? hw_watch_queue(queue) : NULL;
    if (reference != NULL && hw_in_main()) {
        pool = hw_pool_new(queue, kind, NULL, type, size, hw_now());
        if (pool != 0)
            pool_at(pool)->pipe = pipe;
        hw_out();
    }
    if (pool == 0)
        hw_drop(reference);
    return pool;
}

/* ---- the process that submits it ---- */

static void over(struct hw_live *live, uint32_t flags, uint64_t now)
{
    uint32_t pool = hw_unit_slot(live)->on + 1;
    hw_unit_over(live, now, flags);
    hw_pool_answered(pool, flags, now);
}

void hw_given_now(struct hw_given *given)
{
    given->at_ns = hw_now();
    hw_unit_place(&given->from);
}

void hw_away_submitted(uint32_t space, uint32_t pool, uint64_t number, uint32_t runs, uint32_t size,
                       const struct hw_given *given)
{
    if (!hw_in_main())
        return;
    uint64_t now = hw_now();
    const void *key = key_of(space, number);
    struct hw_live *live = hw_unit_find(key);
    if (UNLIKELY(live != NULL)) /* numbers begin again */
        over(live, HW_UNIT_DROPPED, now);
    live = hw_unit_new_at(key, HW_UNIT_KIND_JOB, runs, pool - 1, now, given != NULL ? &given->from : NULL);
    if (live != NULL) {
        struct hw_unit *u = hw_unit_slot(live);
        live->ready_ns = now;
        u->state = HW_NONE;
        if (given != NULL && !given->lazily)
            live->created_ns = live->since_ns = live->ready_ns = given->at_ns;
        if (!(u->flags & HW_UNIT_MANY)) {
            u->number = number;
            u->created_ns = u->since_ns = live->since_ns;
        }
    }
    hw_pool_submitted(pool, live != NULL, size, now);
    hw_out();
}

void hw_away_over(uint32_t space, uint64_t number, bool ran, uint32_t flags)
{
    if (!hw_in_main())
        return;
    struct hw_live *live = hw_unit_find(key_of(space, number));
    if (live != NULL) {
        hw_unit_slot(live)->steps += ran ? 1 : 0;
        over(live, flags, hw_now());
    }
    hw_out();
}

void hw_away_erase(uint32_t space, uint64_t number)
{
    if (!hw_in_main())
        return;
    struct hw_live *live = hw_unit_find(key_of(space, number));
    if (live != NULL) {
        struct hw_unit *u = hw_unit_slot(live);
        over(live, 0, hw_now());
        if (u->flags & HW_UNIT_MANY)
            u->count--;
        else
            STORE(&u->ready, 0);
    }
    hw_out();
}

void hw_away_sent(uint32_t pool, uint64_t number, uint32_t flags)
{
    if (!hw_in_main())
        return;
    struct hw_pool *its = pool_at(pool);
    for (; its->begun < number; its->begun++) {
        struct hw_live *live = hw_unit_find(key_of(pool, its->begun));
        if (live != NULL)
            over(live, flags, hw_now());
    }
    its->begun = number + 1;
    hw_out();
}

/* ---- the process that runs it ---- */

uint32_t hw_away_seat(object queue)
{
    uint32_t pool = hw_away_known(queue);
    return LIKELY(pool != 0) ? pool : hw_away_pool(queue, HW_POOL_WORKER, NULL, 0, hw_pipe_of(queue));
}

void hw_away_begins(uint32_t pool, uint64_t number, uint32_t runs, object queue)
{
    if (!hw_in_main())
        return;
    uint64_t now = hw_now();
    if (UNLIKELY(hw_self.job != 0)) { /* it has not said that the one before has ended */
        hw_out();
        return;
    }
    const void *key = key_of(pool, number);
    const struct hw_place nowhere = {hw_self.index, HW_NOBODY, 0}; /* who submitted it tells that */
    struct hw_live *live =
        hw_unit_find(key) == NULL ? hw_unit_new_at(key, HW_UNIT_KIND_JOB, runs, pool - 1, now, &nowhere) : NULL;
    hw_pool_submitted(pool, live != NULL, 0, now);
    if (live != NULL) {
        struct hw_unit *u = hw_unit_slot(live);
        if (!(u->flags & HW_UNIT_MANY))
            u->number = number;
        hw_self.away = number;
        hw_worker_gets(live, queue, NULL, false, now);
    }
    hw_out();
}

bool hw_away_ends(uint64_t number, uint32_t flags)
{
    bool here = hw_self.job != 0 && hw_self.away == number && hw_in_main();
    if (!here)
        return false;
    uint64_t now = hw_now();
    uint32_t pool = hw_unit_slot(hw_unit_at(hw_self.job))->on + 1;
    here = pool_at(pool)->kind == HW_POOL_WORKER;
    if (here)
        hw_worker_ends(flags, now);
    hw_out();
    return here;
}
