/* Who waited for whom: how often one thread waited for a lock that another had, one entry for each such pair. */
#define _GNU_SOURCE
#include "semaphore.h"

#define EDGE_SIZE (1u << 17)
static uint32_t *edges; /* open addressing; entries are edge index + 1 */

void hw_edge_init(void)
{
    edges = hw_private(EDGE_SIZE * sizeof *edges);
}

void hw_edge_add(uint32_t lock, uint32_t waiter, uint32_t owner, uint64_t ns)
{
    uint64_t h = ((uint64_t)lock << 40 ^ (uint64_t)waiter << 20 ^ owner) * 0x9e3779b97f4a7c15u >> 40;
    for (uint32_t probes = 0; edges != NULL && probes < 64; probes++) {
        uint32_t *place = &edges[(h + probes) % EDGE_SIZE], found = LOAD(place);
        if (found == 0) {
            uint32_t index = hw_append(HW_SECTION_EDGES, 1);
            if (index == HW_NOBODY)
                return;
            struct hw_edge *e = hw_entry(HW_SECTION_EDGES, index);
            e->lock = lock;
            e->waiter = waiter;
            e->owner = owner;
            STORE(&e->ready, 1);
            if (!__atomic_compare_exchange_n(place, &found, index + 1, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
                probes--; /* another thread was first; its edge may be ours */
                STORE(&e->ready, 0);
                continue;
            }
            found = index + 1;
        }
        struct hw_edge *e = hw_entry(HW_SECTION_EDGES, found - 1);
        if (e->lock == lock && e->waiter == waiter && e->owner == owner) {
            ADD(&e->waits, 1);
            ADD(&e->wait_ns, ns);
            return;
        }
    }
    ADD(&hw.header->sections[HW_SECTION_EDGES].lost, 1);
}
