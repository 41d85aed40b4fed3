/* Finds each GIL and records who wants, takes and drops it.
 *
 * CPython's GIL (Include/internal/pycore_gil.h, Python/ceval_gil.c) is a struct that holds, in this order, `cond`,
 * `mutex`, `switch_cond`, `switch_mutex`. create_gil() initialises `cond`, then `switch_cond`: two calls of
 * pthread_cond_init from the interpreter's own code, one condition variable and one mutex apart. From then on
 *   pthread_cond_timedwait(cond)     wants it
 *   pthread_cond_signal(switch_cond) has just taken it (take_gil, with the GIL's mutex held)
 *   pthread_cond_signal(cond)        has just dropped it (drop_gil, likewise)
 *   pthread_cond_wait(switch_cond)   was asked to drop it and waits until somebody else has it
 */
#define _GNU_SOURCE
#include "tracer.h"

#define MAX_GILS 1024 /* alive at once */
static struct {
    const void *cond, *switch_cond;
    struct hw_gil *entry;
    uint32_t index;
} gils[MAX_GILS];
static atomic_uint gil_count; /* places in use, freed ones included */
static struct hw_slow changing; /* the table */

static void add_entry(unsigned i, uint64_t now)
{
    gils[i].index = hw_append(HW_SECTION_GILS, 1);
    if (gils[i].index == HW_NOBODY) {
        gils[i].entry = NULL;
        return;
    }
    struct hw_gil *g = hw_entry(HW_SECTION_GILS, gils[i].index);
    g->address = (uint64_t)gils[i].cond;
    g->created_ns = now;
    g->holder = g->dropper = HW_NOBODY;
    gils[i].entry = g;
    STORE(&g->ready, 1);
}

/* In a forked child: the GILs that the parent had are here too, in a new file. Says under which number + 1 the child has
 * the one that its only thread holds; 0: none. */
uint32_t hw_gil_after_fork(uint32_t holds)
{
    uint32_t held = 0;
    unsigned n = atomic_load(&gil_count);
    atomic_store(&changing.held, false);
    for (unsigned i = 0; i < n; i++) {
        if (gils[i].cond == NULL)
            continue;
        bool mine = holds != 0 && gils[i].entry != NULL && gils[i].index == holds - 1;
        add_entry(i, hw.header->start_ns);
        if (mine && gils[i].entry != NULL)
            held = gils[i].index + 1;
    }
    if (n > 0)
        __atomic_fetch_or(&hw.header->flags, HW_FLAG_GIL_FOUND | HW_FLAG_GIL_TAKEN, __ATOMIC_RELAXED);
    return held;
}

static void created(const void *cond, const void *switch_cond)
{
    /* 3.12 and later create a GIL without holding one: several threads may be here at once. */
    uint64_t mask = hw_slow_lock(&changing);
    unsigned n = atomic_load(&gil_count), place = 0;
    while (place < n && gils[place].cond != cond)
        place++;
    if (place < n) { /* made again in a forked child */
        if (gils[place].entry != NULL)
            POKE(&gils[place].entry->holder, HW_NOBODY);
    } else {
        for (place = 0; place < n && gils[place].cond != NULL; place++)
            continue;
        if (place == MAX_GILS) {
            ADD(&hw.header->sections[HW_SECTION_GILS].lost, 1);
        } else {
            gils[place].cond = cond;
            gils[place].switch_cond = switch_cond;
            add_entry(place, hw_now());
            if (place == n)
                atomic_store(&gil_count, n + 1);
            __atomic_fetch_or(&hw.header->flags, HW_FLAG_GIL_FOUND, __ATOMIC_RELAXED);
        }
    }
    hw_slow_unlock(&changing, mask);
}

/* Index of the GIL with this condition variable as `cond` or `switch_cond`, or -1. The first is nearly always it. */
static inline int gil_by_cond(const void *cond)
{
    unsigned n = atomic_load_explicit(&gil_count, memory_order_acquire);
    for (unsigned i = 0; i < n; i++)
        if (gils[i].cond == cond && gils[i].entry != NULL)
            return (int)i;
    return -1;
}

static inline int gil_by_switch(const void *cond)
{
    unsigned n = atomic_load_explicit(&gil_count, memory_order_acquire);
    for (unsigned i = 0; i < n; i++)
        if (gils[i].switch_cond == cond && gils[i].entry != NULL)
            return (int)i;
    return -1;
}

static void wants(struct hw_thread *t, int i)
{
    if (t->kind == HW_GIL)
        return; /* it goes on waiting */
    hw_switch(t, hw_now(), HW_GIL, gils[i].index, PEEK(&gils[i].entry->holder));
}

static void takes(struct hw_thread *t, int i)
{
    struct hw_gil *g = gils[i].entry;
    uint64_t now = hw_now();
    if (t->kind == HW_GIL) {
        t->now_d = PEEK(&g->dropper);
        if (now - t->since_ns >= hw.stack_threshold_ns)
            t->now_b = hw_stack(HW_DEPTH);
    }
    hw_switch(t, now, HW_PYTHON, gils[i].index, 0);
    if (UNLIKELY(!(t->flags & HW_THREAD_PYTHON))) {
        __atomic_fetch_or(&t->flags, HW_THREAD_PYTHON, __ATOMIC_RELAXED);
        __atomic_fetch_or(&hw.header->flags, HW_FLAG_GIL_TAKEN, __ATOMIC_RELAXED);
    }
    t->holds = gils[i].index + 1;
    t->hold_since_ns = now;
    POKE(&g->holder, hw_self.index);
    POKE(&g->taken_ns, now);
    g->takes++;
}

static void drops(struct hw_thread *t, int i)
{
    struct hw_gil *g = gils[i].entry;
    uint64_t now = hw_now();
    if (t->holds) {
        uint64_t held = now - t->hold_since_ns;
        t->hold_ns += held;
        g->held_ns += held;
        t->hold_count++;
        if (held >= hw.stack_threshold_ns && (t->now_b = hw_stack(HW_DEPTH)) != 0) {
            struct hw_stack *s = hw_entry(HW_SECTION_STACKS, t->now_b - 1);
            ADD(&s->hold_count, 1);
            ADD(&s->hold_ns, held);
        }
    }
    t->holds = 0;
    hw_switch(t, now, HW_NATIVE, 0, 0);
    POKE(&g->holder, HW_NOBODY);
    POKE(&g->dropper, hw_self.index);
    POKE(&g->dropped_ns, now);
}

EXPORT int pthread_cond_init(pthread_cond_t *cond, const pthread_condattr_t *attr)
{
    int r = REAL(pthread_cond_init)(cond, attr);
    if (UNLIKELY(hw.on) && !hw_self.busy) {
        const void *before = hw_self.last_cond;
        hw_self.last_cond = cond;
        if (before != NULL &&
            (uintptr_t)cond - (uintptr_t)before == sizeof(pthread_cond_t) + sizeof(pthread_mutex_t) &&
            hw_from_python(__builtin_return_address(0)) && hw_in() != NULL) {
            created(before, cond);
            hw_out();
        }
    }
    return r;
}

/* An interpreter ends with its GIL. 3.11 does not drop it before. */
EXPORT int pthread_cond_destroy(pthread_cond_t *cond)
{
    int i = gil_by_cond(cond);
    struct hw_thread *t = i >= 0 ? hw_in() : NULL;
    if (t != NULL) {
        if (t->holds == gils[i].index + 1)
            drops(t, i);
        gils[i].switch_cond = NULL;
        gils[i].cond = NULL;
        hw_out();
    }
    return REAL(pthread_cond_destroy)(cond);
}

EXPORT int pthread_cond_signal(pthread_cond_t *cond)
{
    struct hw_thread *t = hw_in();
    if (t != NULL) {
        int i;
        if ((i = gil_by_switch(cond)) >= 0)
            takes(t, i);
        else if ((i = gil_by_cond(cond)) >= 0)
            drops(t, i);
        hw_out();
    }
    return REAL(pthread_cond_signal)(cond);
}

/* A condition variable that is no GIL: an interpreter without semaphores, or a C library's own. */
static struct hw_thread *begin(const pthread_cond_t *cond)
{
    return gil_by_cond(cond) >= 0 ? NULL : hw_block(HW_CONDITION, HW_NOBODY, HW_NOBODY, true);
}

EXPORT int pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *deadline)
{
    int i = gil_by_cond(cond);
    if (LIKELY(i >= 0)) {
        struct hw_thread *t = hw_in();
        if (t != NULL) {
            wants(t, i);
            hw_out();
        }
        return REAL(pthread_cond_timedwait)(cond, mutex, deadline);
    }
    struct hw_thread *t = begin(cond);
    int r = REAL(pthread_cond_timedwait)(cond, mutex, deadline);
    hw_unblock(t);
    return r;
}

EXPORT int pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex)
{
    int i = gil_by_switch(cond);
    if (i >= 0) {
        struct hw_thread *t = hw_in();
        if (t != NULL) {
            wants(t, i);
            hw_out();
        }
        int r = REAL(pthread_cond_wait)(cond, mutex);
        /* Somebody has it now. This thread wants it back, or goes on without: it had released it for native work. */
        if ((t = hw_in()) != NULL) {
            if (t->kind == HW_GIL)
                hw_resume(t, hw_now());
            hw_out();
        }
        return r;
    }
    struct hw_thread *t = begin(cond);
    int r = REAL(pthread_cond_wait)(cond, mutex);
    hw_unblock(t);
    return r;
}

EXPORT int pthread_cond_clockwait(pthread_cond_t *cond, pthread_mutex_t *mutex, clockid_t clock,
                                  const struct timespec *deadline)
{
    struct hw_thread *t = begin(cond);
    int r = REAL(pthread_cond_clockwait)(cond, mutex, clock, deadline);
    hw_unblock(t);
    return r;
}
