/* How long locks were held while others waited for them. */
#define _GNU_SOURCE
#include "semaphore.h"

#define HOLDS_NS 1000000u /* short holds are put together for so long */

static void count_hold(uint32_t lock, uint64_t held, uint64_t longest, uint32_t stack)
{
    struct hw_lock *its = hw_entry(HW_SECTION_LOCKS, lock);
    ADD(&its->held_ns, held);
    if (longest > PEEK(&its->longest_hold_ns)) {
        POKE(&its->longest_hold_ns, longest);
        POKE(&its->longest_hold_slot, hw_self.index);
        POKE(&its->release_stack, stack);
    }
}

void hw_flush_holds(struct hw_thread *t)
{
    uint32_t count = t->held_count;
    if (count == 0)
        return;
    count_hold(t->held_lock, t->held_ns, t->held_longest_ns, 0);
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
        t->held_ns = t->held_longest_ns = 0;
        t->held_lock = lock;
    }
    hw_change(&t->version);
    t->held_to_ns = now;
    t->held_ns += now - from;
    if (now - from > t->held_longest_ns)
        t->held_longest_ns = now - from;
    POKE(&t->held_count, t->held_count + 1);
    hw_change(&t->version);
}

/* The owner lets go of what others wait for: what they lost meanwhile is counted to the lock (index + 1). */
void hw_held(struct hw_thread *t, uint32_t number, uint64_t from, uint64_t now, bool again)
{
    uint64_t held = now - from;
    uint32_t stack = held >= hw.stack_threshold_ns ? hw_stack(HW_DEPTH) : 0;
    if (held < hw.coalesce_ns && stack == 0) {
        short_hold(t, number - 1, from, now, again);
    } else {
        hw_flush_holds(t);
        hw_beside(t, from, now, HW_HOLD, number - 1, stack, 0, 0);
        count_hold(number - 1, held, held, stack);
    }
}
