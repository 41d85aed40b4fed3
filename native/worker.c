/* A worker has a job: from when it gets it until it has ended, the job does what its thread does.
 *
 * Whoever calls holds the GIL of the main interpreter, and is inside the tracer.
 */
#define _GNU_SOURCE
#include "tracer.h"

void hw_worker_gets(struct hw_live *live, void *queue, void *kept, bool own, uint64_t now)
{
    struct hw_unit *u = hw_unit_slot(live);
    uint64_t queued_ns = now - live->since_ns;
    hw_order_hear_all(); /* the queue may have been taken from without a lock */
    hw_self.job = hw_unit_take(live);
    hw_self.job_queue = queue;
    hw_self.job_kept = kept;
    hw_self.job_own = own;
    hw_change(&u->version);
    u->total_ns[HW_NONE] += queued_ns;
    u->state = HW_PYTHON;
    u->since_ns = live->since_ns = now;
    u->carrier = hw_self.index;
    u->steps++;
    if (u->begun_ns == 0)
        u->begun_ns = now;
    hw_change(&u->version);
    live->ready_ns = 0;
    hw_pool_begun(u->on + 1, queued_ns, now);
    hw_unit_keep_totals(&hw_self.job_before, hw_self.slot);
}

void hw_worker_ends(uint32_t flags, uint64_t now)
{
    struct hw_live *live = hw_unit_at(hw_self.job);
    struct hw_unit *u = hw_unit_slot(live);
    uint64_t run_ns = now - live->since_ns;
    uint32_t pool = u->on + 1;
    hw_self.job = 0;
    hw_change(&u->version);
    hw_unit_share_out(u, hw_self.slot, &hw_self.job_before, now, run_ns);
    u->loop_ns += run_ns;
    if (run_ns > u->longest_ns)
        u->longest_ns = run_ns;
    u->since_ns = live->since_ns = now;
    hw_change(&u->version);
    hw_unit_over(live, now, flags);
    hw_pool_ended(pool, run_ns, flags, now);
}
