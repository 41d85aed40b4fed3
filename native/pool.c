/* Executors: how many of their jobs are in the queue and run, and for how long that was so.
 *
 * Whoever calls holds the GIL of the main interpreter, and is inside the tracer. All figures are exact, and for the whole
 * run, however many jobs there are.
 */
#define _GNU_SOURCE
#include <string.h>

#include "tracer.h"

#define POOLS_ALIVE 1024u

static struct known {
    const void *queue;
    uint32_t pool;       /* + 1 */
} known[POOLS_ALIVE], last;
static uint32_t known_count;

uint32_t hw_pool_of(const void *queue)
{
    if (LIKELY(last.queue == queue))
        return last.pool;
    for (uint32_t i = 0; i < known_count; i++)
        if (known[i].queue == queue) {
            last = known[i];
            return known[i].pool;
        }
    return 0;
}

void hw_pool_after_fork(void)
{
    known_count = 0;
    last.queue = NULL;
}

static struct hw_pool *at(uint32_t pool)
{
    return hw_entry(HW_SECTION_POOLS, pool - 1);
}

static uint32_t text(const char *text)
{
    size_t n = text != NULL ? strlen(text) : 0;
    uint32_t place = n != 0 && n < 1024 ? hw_append(HW_SECTION_TEXT, (uint32_t)n + 1) : HW_NOBODY;
    if (place == HW_NOBODY)
        return 0;
    memcpy(hw_entry(HW_SECTION_TEXT, place), text, n + 1);
    return place + 1;
}

uint32_t hw_pool_new(const void *queue, enum hw_pool_kind kind, const char *name, const char *type, uint32_t size,
                     uint64_t now)
{
    const struct hw_section *s = &hw.header->pools;
    bool fits = known_count < POOLS_ALIVE && PEEK(&s->count) < s->capacity;
    uint32_t index = fits ? hw_append(HW_SECTION_POOLS, 1) : HW_NOBODY;
    if (index == HW_NOBODY)
        return 0;
    known[known_count++] = last = (struct known){queue, index + 1};
    struct hw_pool *pool = at(index + 1);
    pool->kind = kind;
    pool->name = text(name);
    pool->type = text(type);
    pool->size = size;
    pool->creator = hw_self.index;
    pool->first_stack = hw_stack(HW_DEPTH / 4);
    pool->first_ns = pool->since_ns = now;
    STORE(&pool->ready, 1);
    return index + 1;
}

void hw_pool_gone(const void *queue, uint64_t now)
{
    for (uint32_t i = 0; i < known_count; i++)
        if (known[i].queue == queue) {
            struct hw_pool *pool = at(known[i].pool);
            pool->end_ns = now;
            if (pool->kind == HW_POOL_PROCESSES && pool->queued > 0) /* nothing will be known of them any more */
                hw_unit_leave(known[i].pool - 1);
            known[i] = known[--known_count];
        }
    last.queue = NULL;
}

/* Counts the time until now, and then the change. */
static void count(struct hw_pool *pool, uint64_t now, uint32_t queued, uint32_t running)
{
    uint64_t passed = now - pool->since_ns;
    pool->some_ns += pool->running > 0 ? passed : 0;
    pool->several_ns += pool->running > 1 ? passed : 0;
    if (pool->queued > 0 && pool->size > 0 && pool->running >= pool->size) {
        pool->full_ns += passed;
        pool->full_queue_ns += passed * pool->queued;
    }
    pool->since_ns = now;
    pool->queued += queued;
    pool->running += running;
    if (pool->queued > pool->most_queued)
        pool->most_queued = pool->queued;
    if (pool->running > pool->most_running)
        pool->most_running = pool->running;
}

static void end(struct hw_pool *pool, uint32_t flags)
{
    pool->failed += flags & HW_UNIT_FAILED ? 1 : 0;
    pool->cancelled += flags & HW_UNIT_CANCELLED ? 1 : 0;
    pool->dropped += flags & HW_UNIT_DROPPED ? 1 : 0;
}

void hw_pool_submitted(uint32_t pool, bool told, uint32_t size, uint64_t now)
{
    struct hw_pool *its = at(pool);
    hw_change(&its->version);
    if (UNLIKELY(size != 0 && size != its->size)) {
        count(its, now, 0, 0);
        its->size = size;
    }
    if (told) {
        its->jobs++;
        its->beside += its->queued + its->running > 0 ? 1 : 0;
        count(its, now, 1, 0);
    } else {
        its->lost++;
    }
    hw_change(&its->version);
}

void hw_pool_begun(uint32_t pool, uint64_t queue_ns, uint64_t now)
{
    struct hw_pool *its = at(pool);
    hw_change(&its->version);
    if (hw_self.pool != pool) {
        hw_self.pool = pool;
        its->workers++;
    }
    its->begun++;
    its->queue_ns += queue_ns;
    if (queue_ns > its->longest_queue_ns)
        its->longest_queue_ns = queue_ns;
    count(its, now, (uint32_t)-1, 1);
    hw_change(&its->version);
}

void hw_pool_ended(uint32_t pool, uint64_t run_ns, uint32_t flags, uint64_t now)
{
    struct hw_pool *its = at(pool);
    hw_change(&its->version);
    its->ended++;
    its->run_ns += run_ns;
    if (run_ns > its->longest_run_ns)
        its->longest_run_ns = run_ns;
    end(its, flags);
    count(its, now, 0, (uint32_t)-1);
    hw_change(&its->version);
}

void hw_pool_taken_away(uint32_t pool, uint32_t flags, uint64_t now)
{
    struct hw_pool *its = at(pool);
    hw_change(&its->version);
    end(its, flags);
    count(its, now, (uint32_t)-1, 0);
    hw_change(&its->version);
}

void hw_pool_answered(uint32_t pool, uint32_t flags, uint64_t now)
{
    struct hw_pool *its = at(pool);
    hw_change(&its->version);
    its->ended++;
    end(its, flags);
    count(its, now, (uint32_t)-1, 0);
    hw_change(&its->version);
}
