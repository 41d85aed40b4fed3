/* Units that run on threads in turn, the tasks of event loops and greenlets: their states, totals and records.
 *
 * Whoever calls holds the GIL of the main interpreter, runs on the thread that carries the unit, and is inside the
 * tracer. A unit that has its thread does what the thread does: the thread's own totals say how much of a step was
 * Python, and how much was spent in calls that block, after the GIL, or off the core.
 */
#define _GNU_SOURCE
#include <string.h>
#include <sys/mman.h>

#include "tracer.h"

#define FIRST_SIZE 2048u         /* of the table; it doubles, so that few units touch few pages */
#define BURST_NS 100000000u      /* steps that are not recorded one by one are after this long */
#define LATE_NS 10000000u        /* a step that came so late is recorded by itself */
#define AT_ONCE_NS 1000000u      /* a loop that waited for less has found what it looked for at once */
#define CLOCK_NS 1000000u        /* after a step of this length the CPU clock is read, so that it has its own window */

struct many {
    uint32_t code, pool, unit;   /* frame + 1; and the unit that stands for all further ones of this code, + 1 */
};
static struct private {
    uint32_t freed_count, used;
    struct many many[HW_UNITS_MANY];
    uint32_t freed[HW_UNITS_ALIVE]; /* places to use again */
    uint32_t size;               /* of the table, a power of two */
    uint32_t table[2 * HW_UNITS_ALIVE]; /* by key: place + 1, or 0; open addressing, without marks for what was removed */
    struct hw_live alive[HW_UNITS_ALIVE];
} *p;
static bool wiped;               /* the kernel gives a forked child zeros */

bool hw_unit_start(void)
{
    if (p != NULL)
        return true;
    void *at = mmap(NULL, sizeof *p, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED)
        return false;
    wiped = madvise(at, sizeof *p, MADV_WIPEONFORK) == 0;
    p = at;
    p->size = FIRST_SIZE;
    return true;
}

/* The child of a fork begins without them: those of the parent that it goes on with are new here. */
void hw_unit_after_fork(void)
{
    hw_self.job = hw_self.pool = 0;
    hw_self.job_before.version = 1;
    for (uint32_t kind = 0; kind < HW_UNIT_KINDS; kind++) {
        hw_self.turns[kind].unit = hw_self.turns[kind].long_step.unit = 0;
        hw_self.turns[kind].before.version = 1;
    }
    hw_self.left_ns = hw_self.wait = hw_self.watch = 0;
    hw_self.wait_on = NULL;
    if (p != NULL && !wiped)
        madvise(p, sizeof *p, MADV_DONTNEED);
    if (p != NULL)
        p->size = FIRST_SIZE;
}

static inline uint32_t home_of(const void *key)
{
    return (uint32_t)(((uintptr_t)key >> 4) * 0x9e3779b97f4a7c15u >> 40) & (p->size - 1);
}

static uint32_t *find(const void *key)
{
    uint32_t at = home_of(key);
    while (p->table[at] != 0 && p->alive[p->table[at] - 1].key != key)
        at = (at + 1) & (p->size - 1);
    return &p->table[at];
}

static void grow(void)
{
    memset(p->table, 0, p->size * sizeof *p->table);
    p->size *= 2;
    for (uint32_t i = 0; i < p->used; i++)
        if (p->alive[i].key != NULL)
            *find(p->alive[i].key) = i + 1;
}

struct hw_live *hw_unit_find(const void *key)
{
    uint32_t place = *find(key);
    return place != 0 ? &p->alive[place - 1] : NULL;
}

struct hw_live *hw_unit_at(uint32_t place)
{
    return &p->alive[place - 1];
}

struct hw_live *hw_unit_running(enum hw_unit_kind kind)
{
    uint32_t place = hw_self.turns[kind].unit;
    return place != 0 ? &p->alive[place - 1] : NULL;
}

/* The innermost that runs: it makes others, and wakes them. */
uint32_t hw_unit_innermost(void)
{
    const struct hw_live *live = hw_unit_running(HW_UNIT_KIND_TASK);
    if (live == NULL)
        live = hw_self.job != 0 ? hw_unit_at(hw_self.job) : hw_unit_running(HW_UNIT_KIND_GREENLET);
    return live != NULL ? live->index : HW_NOBODY;
}

void hw_unit_place(struct hw_place *place)
{
    *place = (struct hw_place){hw_self.index, hw_unit_innermost(), hw_stack(HW_DEPTH / 4)};
}

uint32_t hw_unit_take(struct hw_live *live)
{
    uint32_t hole = (uint32_t)(find(live->key) - p->table), at = hole;
    live->key = NULL;
    p->table[hole] = 0;
    /* What was pushed on by an entry that is gone moves back (Knuth, The Art of Computer Programming 3, 6.4, R). */
    while (p->table[at = (at + 1) & (p->size - 1)] != 0) {
        uint32_t home = home_of(p->alive[p->table[at] - 1].key);
        if (((at - home) & (p->size - 1)) >= ((at - hole) & (p->size - 1))) {
            p->table[hole] = p->table[at];
            p->table[at] = 0;
            hole = at;
        }
    }
    return (uint32_t)(live - p->alive) + 1;
}

static void forget(struct hw_live *live)
{
    if (live->key != NULL)
        hw_unit_take(live);
    p->freed[p->freed_count++] = (uint32_t)(live - p->alive);
}

/* The section holds so many units each by itself; then one stands for all of its code. */
static uint32_t new_index(uint32_t code, uint32_t pool, bool *of_many)
{
    struct hw_section *s = &hw.header->units;
    uint32_t told_apart = s->capacity > HW_UNITS_MANY ? s->capacity - HW_UNITS_MANY : 0;
    *of_many = PEEK(&s->count) >= told_apart;
    if (!*of_many)
        return hw_append(HW_SECTION_UNITS, 1);
    for (uint32_t i = 0; i < HW_UNITS_MANY; i++) {
        struct many *m = &p->many[(code + pool + i) % HW_UNITS_MANY];
        if (m->unit != 0 && m->code == code && m->pool == pool)
            return m->unit - 1;
        if (m->unit == 0) {
            uint32_t index = hw_append(HW_SECTION_UNITS, 1);
            if (index != HW_NOBODY)
                *m = (struct many){code, pool, index + 1};
            return index;
        }
    }
    ADD(&s->lost, 1);
    return HW_NOBODY;
}

struct hw_live *hw_unit_new(const void *key, enum hw_unit_kind kind, uint32_t code, uint32_t pool, uint64_t now)
{
    return hw_unit_new_at(key, kind, code, pool, now, NULL);
}

struct hw_live *hw_unit_new_at(const void *key, enum hw_unit_kind kind, uint32_t code, uint32_t pool, uint64_t now,
                               const struct hw_place *from)
{
    uint32_t place = p->freed_count > 0 ? p->freed[p->freed_count - 1] : p->used;
    bool of_many;
    uint32_t index = HW_NOBODY;
    if (place < HW_UNITS_ALIVE)
        index = new_index(code, pool, &of_many);
    else
        ADD(&hw.header->units.lost, 1);
    if (index == HW_NOBODY)
        return NULL;
    if (p->freed_count > 0)
        p->freed_count--;
    else
        p->used++;
    if (p->used - p->freed_count > p->size / 2)
        grow();
    struct hw_live *live = &p->alive[place];
    *live = (struct hw_live){.key = key, .index = index, .created_ns = now, .since_ns = now, .wait = HW_OTHER,
                             .on = HW_NOBODY, .kind = (uint8_t)kind, .looped = kind == HW_UNIT_KIND_TASK};
    *find(key) = place + 1;
    struct hw_unit *u = live->slot = hw_entry(HW_SECTION_UNITS, index);
    if (of_many && u->count > 0) {
        u->count++;
        u->live++;
        return live;
    }
    u->kind = kind;
    u->flags = of_many ? HW_UNIT_MANY : 0;
    struct hw_place here;
    if (from == NULL)
        hw_unit_place(&here);
    u->creator = from != NULL ? from->creator : here.creator;
    u->parent = from != NULL ? from->parent : here.parent;
    u->carrier = HW_NOBODY;
    u->create_stack = from != NULL ? from->stack : here.stack;
    u->code = code;
    u->count = u->live = 1;
    u->created_ns = u->since_ns = now;
    u->state = HW_OTHER;
    u->on = pool;
    STORE(&u->ready, 1);
    return live;
}

/* Was it kept waiting by the long step that has just ended? No task made it ready, so a callback did, which the loop had
 * or found without having waited for it. It must not be one that the step's task itself brought about by its end, which
 * goes through callbacks, too. */
static bool was_late(const struct hw_live *live, const struct hw_unit *u, const struct hw_long *l)
{
    const struct hw_live *now = hw_unit_running(live->kind);
    if ((now != NULL && !now->hub) || hw_self.polls - l->polls > 1 || hw_self.poll_ns - l->poll_ns >= AT_ONCE_NS)
        return false;
    if (u->begun_ns == 0) /* new: made by a callback of the loop, such as that of a connection */
        return hw_stack_has(u->create_stack, "asyncio/events.py", "Handle._run");
    bool from_outside = live->wait == HW_SLEEP || live->wait == HW_IO || live->wait == HW_PROCESS;
    return from_outside || (!l->over && live->wait != HW_JOIN);
}

void hw_unit_ready(struct hw_live *live, uint64_t now)
{
    if (live->ready_ns != 0)
        return; /* it is already */
    live->ready_ns = now;
    live->waker = hw_unit_innermost() + 1; /* HW_NOBODY + 1 is 0 */
    if (live->runs)
        return; /* it gives way, and is in line at once: the step's end will say so */
    live->waited_ns = now - live->since_ns;
    struct hw_unit *u = hw_unit_slot(live);
    struct hw_long *l = &hw_self.turns[live->kind].long_step;
    if (UNLIKELY(l->unit != 0) && now >= l->end_ns && was_late(live, u, l))
        l->late++;
    hw_change(&u->version);
    u->total_ns[live->wait] += live->waited_ns;
    u->state = HW_NONE;
    u->since_ns = live->since_ns = now;
    hw_change(&u->version);
}

void hw_unit_waited(struct hw_live *live)
{
    uint64_t end = live->ready_ns != 0 ? live->ready_ns : live->since_ns + live->waited_ns;
    if (hw_self.slot != NULL)
        hw_beside(hw_self.slot, end - live->waited_ns, end, HW_WAITED, live->index, live->stack, live->on,
                  live->wait << 24 | (live->waker & 0xffffffu));
}

static void flush_long(struct hw_thread *t, struct hw_long *l)
{
    if (l->unit != 0)
        hw_beside(t, l->start_ns, l->end_ns, HW_LONG, l->unit - 1, l->stack, l->late, l->delay_us);
    l->unit = 0;
}

void hw_unit_flush_long(struct hw_thread *t)
{
    for (uint32_t kind = 0; kind < HW_UNIT_KINDS; kind++)
        flush_long(t, &hw_self.turns[kind].long_step);
}

void hw_unit_keep_totals(struct hw_before *b, const struct hw_thread *t)
{
    if (b->version == t->version)
        return;
    b->version = t->version;
    memcpy(b->total_ns, t->total_ns, sizeof b->total_ns);
    b->ready_cpu_ns = t->ready_cpu_ns[0] + t->ready_cpu_ns[1];
    b->off_other_ns = t->off_other_ns[0] + t->off_other_ns[1];
    b->run_delay_ns = t->run_delay_ns;
}

void hw_unit_begin(struct hw_live *live, uint64_t now)
{
    struct hw_unit *u = hw_unit_slot(live);
    uint64_t spent = now - live->since_ns;
    live->step_ready_ns = live->ready_ns != 0 ? spent : 0;
    struct hw_turn *turn = &hw_self.turns[live->kind];
    struct hw_long *l = &turn->long_step;
    if (UNLIKELY(l->unit != 0) && hw_self.slot != NULL) {
        if (hw_self.polls - l->polls > 1)
            flush_long(hw_self.slot, l);
        else if (!live->hub && live->ready_ns != 0 && live->ready_ns + HW_LONG_STEP_NS <= l->end_ns)
            l->late++;
    }
    hw_change(&u->version);
    u->total_ns[live->ready_ns != 0 ? HW_NONE : live->wait] += spent;
    u->state = HW_PYTHON;
    u->since_ns = live->since_ns = now;
    u->carrier = live->carrier = hw_self.index;
    u->steps++;
    if (u->begun_ns == 0)
        u->begun_ns = now;
    hw_change(&u->version);
    live->begun = live->runs = true;
    live->ready_ns = 0;
    live->waker = 0;
    turn->unit = (uint32_t)(live - p->alive) + 1;
    hw_unit_keep(live->kind);
}

void hw_unit_keep(enum hw_unit_kind kind)
{
    if (hw_self.slot != NULL)
        hw_unit_keep_totals(&hw_self.turns[kind].before, hw_self.slot);
}

/* It began a while ago, as it was made, and may have given way since. */
void hw_unit_begin_eager(struct hw_live *live, uint64_t began)
{
    struct hw_unit *u = hw_unit_slot(live);
    uint64_t ready = live->ready_ns;
    live->ready_ns = 0;
    live->since_ns = live->created_ns = began;
    if (!(u->flags & HW_UNIT_MANY))
        u->created_ns = began;
    hw_unit_begin(live, began);
    live->ready_ns = ready;
}

static void flush(struct hw_live *live)
{
    if (live->burst_steps > 0 && hw_self.slot != NULL)
        hw_beside(hw_self.slot, live->burst_ns, live->burst_end_ns, HW_STEPS, live->index, live->burst_steps,
                  (uint32_t)live->burst_run_ns, (uint32_t)live->burst_ready_ns);
    live->burst_steps = 0;
    live->burst_run_ns = live->burst_ready_ns = 0;
}

static void record(struct hw_live *live, uint64_t now)
{
    uint64_t began = live->since_ns, duration = now - began, ready = live->step_ready_ns;
    if (ready >= LATE_NS || duration >= hw.coalesce_ns) {
        flush(live);
        if (hw_self.slot != NULL)
            hw_beside(hw_self.slot, began, now, HW_STEP, live->index, 0, ready > UINT32_MAX ? UINT32_MAX : (uint32_t)ready,
                      0);
        return;
    }
    if (live->burst_steps > 0 && now - live->burst_ns > BURST_NS)
        flush(live);
    if (live->burst_steps == 0)
        live->burst_ns = began - ready;
    live->burst_steps++;
    live->burst_end_ns = now;
    live->burst_run_ns += duration;
    live->burst_ready_ns += ready;
}

/* Gives a step's time to the states that its thread was in meanwhile. */
void hw_unit_share_out(struct hw_unit *u, struct hw_thread *t, const struct hw_before *b, uint64_t now, uint64_t duration)
{
    uint64_t rest = duration;
    if (t == NULL || (t->version == b->version && duration < CLOCK_NS)) {
        u->total_ns[HW_PYTHON] += duration;
        return;
    }
    if (duration >= CLOCK_NS) {
        hw_close(t, now);
        hw_checkpoint(t, now);
    }
    for (uint32_t kind = HW_START; kind < HW_NKINDS; kind++) {
        if (kind == HW_PYTHON || kind == HW_CPU)
            continue;
        uint64_t part = t->total_ns[kind] - b->total_ns[kind];
        part = part < rest ? part : rest;
        u->total_ns[kind] += part;
        rest -= part;
    }
    uint64_t other = t->off_other_ns[0] + t->off_other_ns[1] - b->off_other_ns;
    uint64_t ready = t->ready_cpu_ns[0] + t->ready_cpu_ns[1] - b->ready_cpu_ns;
    ready = ready < rest ? ready : rest;
    other = other < rest - ready ? other : rest - ready;
    u->total_ns[HW_CPU] += ready;
    u->total_ns[HW_OTHER] += other;
    u->total_ns[HW_PYTHON] += rest - ready - other;
}

void hw_unit_end(struct hw_live *live, uint64_t now, uint32_t wait, uint32_t on, uint32_t stack)
{
    struct hw_unit *u = hw_unit_slot(live);
    struct hw_thread *t = hw_self.slot;
    struct hw_turn *turn = &hw_self.turns[live->kind];
    uint64_t began = live->since_ns, duration = now - began;
    if (!live->hub) /* it is where its thread tells of it */
        record(live, now);
    hw_change(&u->version);
    hw_unit_share_out(u, t, &turn->before, now, duration);
    u->loop_ns += duration;
    if (duration > u->longest_ns)
        u->longest_ns = duration;
    u->state = live->ready_ns != 0 ? HW_NONE : wait;
    u->since_ns = now;
    u->on = on;
    if (stack != 0)
        u->stack = stack;
    hw_change(&u->version);
    live->since_ns = now;
    live->wait = wait;
    live->on = on;
    live->stack = stack;
    live->runs = false;
    live->waited_ns = 0;
    if (live->ready_ns != 0)
        live->ready_ns = now; /* it made itself ready while it ran */
    if (UNLIKELY(duration >= HW_LONG_STEP_NS) && t != NULL && live->looped && !live->hub) {
        flush_long(t, &turn->long_step);
        /* The kernel's figure has the delays of waking up from a call that blocks, too. */
        int saved = errno;
        uint64_t delay = hw_run_delay("/proc/thread-self/schedstat");
        errno = saved;
        delay = delay > turn->before.run_delay_ns ? (delay - turn->before.run_delay_ns) / 1000 : 0;
        turn->long_step = (struct hw_long){began, now, hw_self.poll_ns, hw_self.polls, live->index + 1, stack, 0,
                                           delay > UINT32_MAX ? UINT32_MAX : (uint32_t)delay, wait == HW_NONE};
    }
}

void hw_unit_over(struct hw_live *live, uint64_t now, uint32_t flags)
{
    struct hw_unit *u = hw_unit_slot(live);
    flush(live);
    hw_change(&u->version);
    if (now > live->since_ns)
        u->total_ns[live->ready_ns != 0 ? HW_NONE : live->wait] += now - live->since_ns;
    u->failed += flags & HW_UNIT_FAILED ? 1 : 0;
    u->cancelled += flags & HW_UNIT_CANCELLED ? 1 : 0;
    u->live--;
    if (!(u->flags & HW_UNIT_MANY)) {
        u->flags |= flags;
        u->state = HW_NONE;
    }
    u->since_ns = now;
    u->end_ns = now;
    hw_change(&u->version);
    forget(live);
}

void hw_unit_leave(uint32_t pool)
{
    for (uint32_t i = 0; i < p->used; i++)
        if (p->alive[i].key != NULL && p->alive[i].kind == HW_UNIT_KIND_JOB && hw_unit_slot(&p->alive[i])->on == pool)
            forget(&p->alive[i]);
}

void hw_unit_named(struct hw_live *live, const char *name)
{
    struct hw_unit *u = hw_unit_slot(live);
    size_t n = strnlen(name, HW_NAME_BYTES);
    if (u->name != 0 || (u->flags & HW_UNIT_MANY))
        return;
    if (n == HW_NAME_BYTES)
        for (n--; n > 0 && ((uint8_t)name[n] & 0xc0) == 0x80; n--)
            continue;
    uint32_t at = hw_append(HW_SECTION_TEXT, (uint32_t)n + 1);
    if (at == HW_NOBODY)
        return;
    char *to = hw_entry(HW_SECTION_TEXT, at);
    memcpy(to, name, n);
    to[n] = 0;
    STORE(&u->name, at + 1);
}
