/* Each distinct Python stack, stored once; and how a wait under it is classed. */
#define _GNU_SOURCE
#include <string.h>

#include "tracer.h"

/* Entries of a section by their hash: open addressing; a place holds section index + 1, or 0. A table that is half full
 * is followed by one of twice the size, so that a process with few stacks touches few pages: 3 us each. Earlier tables
 * stay as they are: who still reads one misses what is newer, and looks again under the lock. */
#define FIRST_SIZE 2048u
#define LAST_LEVEL 7u
struct index {
    uint32_t *tables; /* one after the other */
    enum hw_section_id of;
    uint32_t level, used;
};
static struct index stacks = {.of = HW_SECTION_STACKS}, frames = {.of = HW_SECTION_FRAMES};
_Static_assert(offsetof(struct hw_stack, hash) == offsetof(struct hw_frame, hash), "one index for both");

void hw_stack_init(void)
{
    size_t bytes = ((size_t)(FIRST_SIZE << (LAST_LEVEL + 1)) - FIRST_SIZE) * sizeof(uint32_t);
    stacks.tables = hw_private(bytes);
    frames.tables = hw_private(bytes);
}

static inline uint64_t hash_of(const struct index *in, uint32_t found)
{
    return *(const uint64_t *)((const char *)hw_entry(in->of, found - 1) + offsetof(struct hw_stack, hash));
}

/* What is there, or 0; then `place` is where it would go, or NULL. */
static uint32_t find(const struct index *in, uint32_t level, uint64_t hash, uint32_t **place)
{
    uint32_t size = FIRST_SIZE << level, *table = in->tables + (size - FIRST_SIZE), found;
    *place = NULL;
    for (uint32_t probes = 0; probes < 256; probes++) {
        uint32_t *p = &table[(hash + probes) % size];
        if ((found = LOAD(p)) == 0) {
            *place = p;
            return 0;
        }
        if (LIKELY(hash_of(in, found) == hash))
            return found;
    }
    return 0;
}

/* Under the lock: a place for a new entry, or NULL. */
static uint32_t *make_place(struct index *in, uint64_t hash)
{
    uint32_t size = FIRST_SIZE << in->level, *table = in->tables + (size - FIRST_SIZE), *place;
    if (in->used * 2 >= size && in->level < LAST_LEVEL) {
        for (uint32_t i = 0; i < size; i++) {
            if (table[i] == 0)
                continue;
            find(in, in->level + 1, hash_of(in, table[i]), &place);
            if (place != NULL)
                *place = table[i];
        }
        STORE(&in->level, in->level + 1);
    }
    find(in, in->level, hash, &place);
    return place;
}

/* `text`: file and name, each ended by zero. */
static uint32_t add_frame(uint64_t hash, const char *text, size_t bytes, size_t name_at, uint32_t line)
{
    uint32_t *place = make_place(&frames, hash);
    uint32_t at = place == NULL ? HW_NOBODY : hw_append(HW_SECTION_TEXT, (uint32_t)bytes);
    uint32_t index = at == HW_NOBODY ? HW_NOBODY : hw_append(HW_SECTION_FRAMES, 1);
    if (index == HW_NOBODY)
        return HW_NOBODY;
    memcpy(hw_entry(HW_SECTION_TEXT, at), text, bytes);
    struct hw_frame *frame = hw_entry(HW_SECTION_FRAMES, index);
    frame->line = line;
    frame->hash = hash;
    frame->file = at;
    frame->name = at + (uint32_t)name_at;
    STORE(&frame->ready, 1);
    *place = index + 1;
    frames.used++;
    return index;
}

static uint32_t store_frame(const struct hw_walked_frame *f)
{
    uint32_t *place, found = find(&frames, frames.level, f->hash, &place);
    if (found != 0)
        return found - 1;
    char text[1536];
    size_t name_at;
    size_t bytes = hw_frame_text(f->code, text, sizeof text, &name_at);
    return add_frame(f->hash, text, bytes, name_at, hw_frame_line(f->code, f->instruction));
}

static bool in(const struct hw_frame *frame, const char *file, const char *name)
{
    const char *text = hw_entry(HW_SECTION_TEXT, frame->file);
    size_t n = strlen(text), k = strlen(file);
    return n >= k && strcmp(text + n - k, file) == 0 && (n == k || text[n - k - 1] == '/') &&
           (name == NULL || strcmp(hw_entry(HW_SECTION_TEXT, frame->name), name) == 0);
}

/* What gevent itself waits for, where that is written in Python: a part of the file's path, and a function of it or NULL. */
static uint32_t classify_gevent(const struct hw_frame *f)
{
    static const struct {
        const char *file, *name;
        uint32_t kind;
    } known[] = {
        {"gevent/hub.py", "sleep", HW_SLEEP},       {"gevent/_socket3.py", NULL, HW_IO},
        {"gevent/_socketcommon.py", NULL, HW_IO},   {"gevent/ssl.py", NULL, HW_IO},
        {"gevent/select.py", NULL, HW_IO},          {"gevent/os.py", NULL, HW_IO},
        {"gevent/_fileobjectposix.py", NULL, HW_IO}, {"gevent/_fileobjectcommon.py", NULL, HW_IO},
        {"gevent/resolver/thread.py", NULL, HW_IO}, {"gevent/subprocess.py", NULL, HW_PROCESS},
        {"gevent/_threading.py", NULL, HW_QUEUE}, /* of a pool's threads: they wait for jobs */
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (in(f, known[i].file, known[i].name))
            return known[i].kind;
    return HW_NONE;
}

/* What a thread waits for when it blocks on a lock under this stack: the lock itself, or what the standard library
 * builds on one. So does a greenlet, where gevent has put its own lock in place. */
static uint32_t classify(const uint32_t *links, uint32_t depth, uint32_t *named)
{
    *named = 1;
    const struct hw_frame *f[4] = {NULL, NULL, NULL, NULL};
    for (uint32_t i = 0, k = 0; i < depth && k < 4; i++) {
        const struct hw_frame *frame = hw_entry(HW_SECTION_FRAMES, links[i]);
        if (!in(frame, "threading.py", "Condition.wait_for") && !in(frame, "gevent/thread.py", NULL) &&
            !in(frame, "gevent/lock.py", NULL) && !in(frame, "synchronize.py", "SemLock.__enter__"))
            f[k++] = frame;
    }
    if (f[0] == NULL)
        return HW_CONDITION; /* wait_for, called from C */
    uint32_t kind = classify_gevent(f[0]);
    if (kind != HW_NONE)
        return kind;
    if (in(f[0], "threading.py", NULL)) {
        if (in(f[0], "threading.py", "Condition.wait")) {
            if (f[1] == NULL)
                return HW_CONDITION;
            if (in(f[1], "threading.py", "Event.wait"))
                return f[2] != NULL && (in(f[2], "concurrent/futures/_base.py", NULL) || in(f[2], "multiprocessing/pool.py", NULL))
                           ? HW_FUTURE
                           : HW_EVENT;
            if (in(f[1], "queue.py", NULL))
                return HW_QUEUE;
            if (in(f[1], "concurrent/futures/_base.py", NULL) || in(f[1], "multiprocessing/pool.py", NULL))
                return HW_FUTURE;
            if (in(f[1], "threading.py", "Semaphore.acquire"))
                return HW_LOCK;
            return HW_CONDITION;
        }
        if (in(f[0], "threading.py", "Thread.join") || in(f[0], "threading.py", "Thread._wait_for_tstate_lock") ||
            in(f[0], "threading.py", "_shutdown"))
            return HW_JOIN;
    }
    if (in(f[0], "multiprocessing/synchronize.py", "Condition.wait"))
        return f[1] != NULL && in(f[1], "multiprocessing/synchronize.py", "Event.wait") ? HW_EVENT : HW_CONDITION;
    if (in(f[0], "multiprocessing/queues.py", NULL))
        return HW_QUEUE;
    if (in(f[0], "concurrent/futures/thread.py", "_worker") || in(f[0], "queue.py", NULL))
        return HW_QUEUE; /* SimpleQueue.get is written in C and has no frame of its own */
    *named = 0;
    return HW_LOCK;
}

/* What a task waits for whose innermost coroutine is this one of the standard library. */
static uint32_t classify_coroutine(const struct hw_frame *f)
{
    static const struct {
        const char *file, *name; /* NULL: any */
        uint32_t kind;
    } known[] = {
        {"asyncio/tasks.py", "sleep", HW_SLEEP},          {"asyncio/locks.py", "Lock.acquire", HW_LOCK},
        {"asyncio/locks.py", "Semaphore.acquire", HW_LOCK}, {"asyncio/locks.py", "Event.wait", HW_EVENT},
        {"asyncio/locks.py", NULL, HW_CONDITION},         {"asyncio/queues.py", NULL, HW_QUEUE},
        {"asyncio/streams.py", NULL, HW_IO},              {"asyncio/selector_events.py", NULL, HW_IO},
        {"asyncio/base_subprocess.py", NULL, HW_PROCESS}, {"asyncio/taskgroups.py", NULL, HW_JOIN},
        {"asyncio/tasks.py", NULL, HW_JOIN},              {"asyncio/base_events.py", "Server.serve_forever", HW_IO},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (in(f, known[i].file, known[i].name))
            return known[i].kind;
    return HW_FUTURE;
}

/* What a lock is that was made under this stack. The inner lock of a condition, and that which a thread has as long as it
 * lives, are signals; importlib looks for circles among its own itself. Any two threads that start or end take those of the
 * module threading, and learn nothing of each other by that. */
static uint32_t made(const uint32_t *links, uint32_t depth)
{
    const struct hw_frame *f = hw_entry(HW_SECTION_FRAMES, links[0]);
    if (in(f, "threading.py", "Condition.wait") || in(f, "threading.py", "Thread._set_tstate_lock") ||
        in(f, "<frozen importlib._bootstrap>", NULL))
        return 2;
    if (in(f, "threading.py", "RLock") && depth > 1)
        f = hw_entry(HW_SECTION_FRAMES, links[1]);
    return in(f, "threading.py", "<module>") ? 4 : 0;
}

static uint32_t store_stack(const struct hw_walked *w)
{
    uint32_t *place = make_place(&stacks, w->hash);
    if (place == NULL)
        return 0;
    uint32_t links[HW_DEPTH];
    for (uint32_t i = 0; i < w->depth; i++)
        if ((links[i] = store_frame(&w->frames[i])) == HW_NOBODY)
            return 0;
    uint32_t first = hw_append(HW_SECTION_LINKS, w->depth);
    uint32_t index = first == HW_NOBODY ? HW_NOBODY : hw_append(HW_SECTION_STACKS, 1);
    if (index == HW_NOBODY)
        return 0;
    memcpy(hw_entry(HW_SECTION_LINKS, first), links, w->depth * sizeof *links);
    struct hw_stack *stack = hw_entry(HW_SECTION_STACKS, index);
    if (w->of_coroutines)
        stack->kind = classify_coroutine(hw_entry(HW_SECTION_FRAMES, links[0]));
    else
        stack->kind = classify(links, w->depth, &stack->named);
    if (!w->of_coroutines)
        stack->named |= made(links, w->depth);
    stack->hash = w->hash;
    stack->first = first;
    stack->depth = w->depth;
    stack->cut = w->cut;
    STORE(&stack->ready, 1);
    STORE(place, index + 1);
    stacks.used++;
    return index + 1;
}

static struct hw_slow storing;

/* The caller is inside the tracer (hw_self.busy), here and below. */
uint32_t hw_stack(uint32_t most)
{
    struct hw_walked w;
    return hw_walk(&w, most) ? hw_stack_of(&w) : 0;
}

uint32_t hw_stack_of(const struct hw_walked *w)
{
    if (stacks.tables == NULL || frames.tables == NULL || w->depth == 0)
        return 0;
    uint32_t *place, found = find(&stacks, LOAD(&stacks.level), w->hash, &place);
    if (LIKELY(found != 0))
        return found;
    int saved = errno;
    uint64_t mask = hw_slow_lock(&storing);
    found = find(&stacks, stacks.level, w->hash, &place);
    if (found == 0)
        found = store_stack(w);
    hw_slow_unlock(&storing, mask);
    errno = saved;
    return found;
}

bool hw_stack_has(uint32_t stack, const char *file, const char *name)
{
    const struct hw_stack *s = stack != 0 ? hw_entry(HW_SECTION_STACKS, stack - 1) : NULL;
    const uint32_t *links = s != NULL ? hw_entry(HW_SECTION_LINKS, s->first) : NULL;
    for (uint32_t i = 0; s != NULL && i < s->depth; i++)
        if (in(hw_entry(HW_SECTION_FRAMES, links[i]), file, name))
            return true;
    return false;
}

uint32_t hw_code(const void *code)
{
    struct hw_walked w = {.depth = 0};
    if (frames.tables == NULL)
        return 0;
    hw_walk_code(&w, code);
    if (w.depth == 0)
        return 0;
    uint32_t *place, found = find(&frames, LOAD(&frames.level), w.frames[0].hash, &place);
    if (UNLIKELY(found == 0)) {
        int saved = errno;
        uint64_t mask = hw_slow_lock(&storing);
        found = store_frame(&w.frames[0]) + 1; /* HW_NOBODY + 1 is 0 */
        hw_slow_unlock(&storing, mask);
        errno = saved;
    }
    return found;
}

uint32_t hw_code_named(const char *name)
{
    static const char file[] = "<built-in>";
    char text[sizeof file + 256];
    size_t n = strnlen(name, 255);
    uint64_t hash = 14695981039346656037u; /* FNV-1a */
    for (size_t i = 0; i < n; i++)
        hash = (hash ^ (uint8_t)name[i]) * 1099511628211u;
    if (frames.tables == NULL || n == 0)
        return 0;
    uint32_t *place, found = find(&frames, LOAD(&frames.level), hash, &place);
    if (UNLIKELY(found == 0)) {
        memcpy(text, file, sizeof file);
        memcpy(text + sizeof file, name, n);
        text[sizeof file + n] = 0;
        int saved = errno;
        uint64_t mask = hw_slow_lock(&storing);
        found = add_frame(hash, text, sizeof file + n + 1, sizeof file, 0) + 1; /* HW_NOBODY + 1 is 0 */
        hw_slow_unlock(&storing, mask);
        errno = saved;
    }
    return found;
}

void hw_stack_after_fork(void)
{
    atomic_store(&storing.held, false);
    stacks.level = stacks.used = frames.level = frames.used = 0;
}
