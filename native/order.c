/* Which locks a thread takes while it has others, and whether another takes them in the opposite order.
 *
 * Two such orders are a danger only if both could be under way at once. Whether they could is told by a clock of one number,
 * as Lamport's: orders are numbered by `epoch`, each thread has the highest number that it may have been told of by others
 * (`hw_self.heard`), and passes on what it knows with each semaphore that it posts (`posted`) and each thread that it makes. An order
 * whose number its opposite's thread may have been told of, other than by these two locks themselves, may have come before
 * that for a reason (an event, a join, a queue): such a pair is not told. What is told by other ways (a pipe, a lock whose
 * calls are not seen, a job) counts as word from everybody.
 *
 * Whoever calls is inside the tracer.
 */
#define _GNU_SOURCE
#include "semaphore.h"

#define HEADS 4096u
#define THREADS_EACH 4u     /* so many threads are told of one order, those that have ended not counted */
#define LOCKS_MOST 16384u   /* so many locks get an entry for this alone */
#define AGAIN_MOST 4096u    /* so often all orders are looked at again, since two opposite ones were not at once before */

static uint32_t *heads; /* by inner lock: order + 1 */
static uint32_t epoch, generation, again, locks_made;
static struct hw_slow ordering;

bool hw_order_init(void)
{
    heads = hw_private(HEADS * sizeof *heads);
    return heads != NULL;
}

void hw_order_after_fork(void)
{
    atomic_store(&ordering.held, false);
    hw_self.taken_count = 0;
    generation++;
    again = locks_made = 0;
}

static inline uint32_t later(uint32_t one, uint32_t other)
{
    return one > other ? one : other;
}

void hw_order_begin(void)
{
    ADD(&generation, 1);
}

void hw_order_hear_all(void)
{
    uint32_t now = PEEK(&epoch);
    hw_self.heard = now;
    hw_self.known = later(hw_self.known, now);
    for (uint32_t i = 0; i < hw_self.taken_count; i++)
        hw_self.taken[i].since = now;
}

/* How the lock was made: bits of hw_stack.named. */
static uint32_t made_as(const struct hw_semaphore *k)
{
    return k->made != 0 ? ((const struct hw_stack *)hw_entry(HW_SECTION_STACKS, k->made - 1))->named : 0;
}

/* This thread has just taken what another released. The interpreter's own semaphores, made before or without Python code, are
 * no message. */
void hw_order_hear(const struct hw_semaphore *k)
{
    if (k->shared != NULL && PEEK(&k->shared->waker) == hw_self.shared)
        return;
    uint32_t told = k->shared != NULL ? PEEK(&epoch) : PEEK(&k->posted);
    if ((k->shared == NULL && k->made == 0) || made_as(k) & 4)
        return;
    hw_self.heard = later(hw_self.heard, told);
    hw_self.known = later(hw_self.known, told);
    for (uint32_t i = 0; i < hw_self.taken_count; i++)
        if (hw_self.taken[i].sem != k)
            hw_self.taken[i].since = later(hw_self.taken[i].since, told);
}

static void take_off(uint32_t i)
{
    hw_self.taken_count--;
    for (; i < hw_self.taken_count; i++)
        hw_self.taken[i] = hw_self.taken[i + 1];
}

void hw_order_forget(const struct hw_semaphore *k)
{
    for (uint32_t i = hw_self.taken_count; i-- > 0;)
        if (hw_self.taken[i].sem == k) {
            take_off(i);
            return;
        }
}

static bool is_lock(const struct hw_semaphore *k)
{
    return k->shared != NULL ? hw_shared_is_lock(k->shared) : PEEK(&k->foreign) == 0 && !(made_as(k) & 2);
}

/* Does this thread still have it? Another may have released it, and it may have been destroyed. */
static bool has(const struct hw_taken *one)
{
    const struct hw_semaphore *k = one->sem;
    if (PEEK(&k->address) != one->address || !is_lock(k))
        return false;
    return k->shared != NULL ? PEEK(&k->shared->owner) == hw_self.shared : PEEK(&k->owner) == hw_self.index + 1;
}

static uint32_t number_of(struct hw_semaphore *k)
{
    if (k->lock == 0 && (PEEK(&locks_made) >= LOCKS_MOST || ADD(&locks_made, 1) >= LOCKS_MOST))
        return 0;
    return hw_lock_number(k);
}

static struct hw_order *order_at(uint32_t number)
{
    return hw_entry(HW_SECTION_ORDERS, number - 1);
}

static bool same(const struct hw_order *one, const struct hw_order *other)
{
    bool is = one->inner == other->inner && one->count == other->count;
    for (uint32_t i = 0; is && i < one->count; i++)
        is = one->held[i] == other->held[i];
    return is;
}

static uint32_t place_in(const struct hw_order *order, uint32_t lock)
{
    uint32_t i = 0;
    while (i < order->count && order->held[i] != lock)
        i++;
    return i;
}

/* A lock that both have first keeps them apart. */
static bool guarded(const struct hw_order *one, const struct hw_order *other)
{
    for (uint32_t i = 0; i < one->count; i++)
        if (place_in(other, one->held[i]) < other->count)
            return true;
    return false;
}

/* The entry of this thread for `seen`, or a new one; NULL if there is no room. Under the lock. */
static struct hw_order *entry_of(const struct hw_order *seen, uint32_t *number)
{
    uint32_t *head = &heads[seen->inner % HEADS], threads = 0;
    for (*number = *head; *number != 0; *number = order_at(*number)->next) {
        struct hw_order *o = order_at(*number);
        if (!same(o, seen))
            continue;
        if (o->thread == seen->thread)
            return o;
        if (((const struct hw_thread *)hw_entry(HW_SECTION_THREADS, o->thread))->end_ns == 0)
            threads++;
    }
    uint32_t index = threads < THREADS_EACH ? hw_append(HW_SECTION_ORDERS, 1) : HW_NOBODY;
    if (index == HW_NOBODY)
        return NULL;
    struct hw_order *o = hw_entry(HW_SECTION_ORDERS, index);
    *o = *seen;
    o->next = *head;
    o->first_ns = hw_now();
    *number = *head = index + 1;
    return o;
}

/* Looks for opposite orders of other threads. `known`: for each lock that this one has, of what it has been told apart from
 * that lock. */
static void compare(struct hw_order *mine, uint32_t number, const uint32_t *known)
{
    bool suspect = false;
    if (PEEK(&hw_section(HW_SECTION_STACKS)->lost) != 0)
        return; /* locks that were made since pass nothing on */
    for (uint32_t i = 0; i < mine->count; i++)
        for (uint32_t at = heads[mine->held[i] % HEADS]; at != 0; at = order_at(at)->next) {
            struct hw_order *o = order_at(at);
            if (o->inner != mine->held[i] || o->thread == mine->thread || place_in(o, mine->inner) == o->count ||
                guarded(mine, o))
                continue;
            if (o->epoch > known[i]) {
                STORE(&mine->opposite, at);
                STORE(&o->opposite, number);
                return;
            }
            suspect = true;
        }
    if (suspect && mine->opposite == 0 && again < AGAIN_MOST) {
        again++;
        ADD(&generation, 1);
    }
}

/* From CPython 3.14 on most locks are taken and released without a call. Then two that have calls, as multiprocessing's, could
 * be kept apart by an event whose are not seen. */
static bool all_are_seen(void)
{
    uint32_t version = hw.header->python_version >> 16;
    return version >= 0x0300 && version < 0x030e && !(PEEK(&hw.header->flags) & HW_FLAG_FREE_THREADED);
}

static void record(struct hw_semaphore *k)
{
    struct hw_order seen = {.thread = hw_self.index, .count = hw_self.taken_count};
    uint32_t known[HW_ORDER_HELD], number;
    if (!all_are_seen() || seen.count > HW_ORDER_HELD || heads == NULL || (number = number_of(k)) == 0)
        return;
    seen.inner = number - 1;
    for (uint32_t i = 0; i < seen.count; i++) {
        if ((number = number_of(hw_self.taken[i].sem)) == 0)
            return;
        seen.held[i] = number - 1;
        known[i] = later(hw_self.taken[i].before, hw_self.taken[i].since);
    }
    seen.stack = hw_stack(HW_DEPTH);
    uint64_t mask = hw_slow_lock(&ordering);
    struct hw_order *mine = entry_of(&seen, &number);
    if (mine != NULL) {
        mine->last_ns = hw_now();
        STORE(&mine->epoch, ADD(&epoch, 1) + 1);
        STORE(&mine->ready, 1);
        hw_self.known = mine->epoch;
        compare(mine, number, known);
    }
    hw_slow_unlock(&ordering, mask);
}

/* The calling thread has taken `k`, and had others before. */
void hw_order_nested(struct hw_semaphore *k)
{
    const uint64_t odd = 0x9e3779b97f4a7c15u;
    uint64_t key = (k->address ^ (uint64_t)k->created << 48) * odd;
    for (uint32_t i = hw_self.taken_count; i-- > 0;) {
        const struct hw_semaphore *other = hw_self.taken[i].sem;
        if (other == k)
            return;
        if (!has(&hw_self.taken[i]))
            take_off(i);
        else
            key = (key ^ other->address ^ (uint64_t)other->created << 48) * odd;
    }
    if (hw_self.taken_count == 0 || !is_lock(k))
        return;
    key ^= (uint64_t)PEEK(&generation) * odd;
    uint64_t *seen = &hw_self.orders_seen[key >> 60];
    if (LIKELY(*seen == key))
        return;
    *seen = key;
    int saved = errno;
    record(k);
    errno = saved;
}
