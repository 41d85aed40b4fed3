/* The jobs of thread pools, seen in their queues.
 *
 * `ThreadPoolExecutor.submit` makes a _WorkItem and puts it into a queue.SimpleQueue, from which a worker gets it; headway's
 * own executors do the same with calls, and batches of calls. Those
 * methods are written in C, so ours are put in place of three in the interpreter's own table of them, and call what was
 * there before: `put`, where a job is submitted, `get` and `get_nowait`, where it begins, and where its worker, which asks
 * for the next one, has ended it. The class of executor does not matter, nor who calls it: `run_in_executor` does, too. No
 * Python code of the program or the library is changed, and a queue that is none of an executor costs a comparison a call.
 *
 * Source: CPython 3.11 to 3.15, Lib/concurrent/futures/thread.py, Modules/_queuemodule.c.
 */
#define _GNU_SOURCE
#include <string.h>

#include "python_api.h"
#include "tracer.h"

typedef object put_method(object, object const *, size_t, object);
typedef object get_method(object, object, object const *, size_t, object);

static put_method *put_before;
static get_method *get_before, *get_nowait_before;
/* What one class of items in a queue is, and the functions that handle them. */
static struct library {
    const char *item, *module, *file;
    struct function submit, work;
    const char *cancels, *breaks; /* functions that take items away, and have the jobs cancelled, or failed */
    bool own;             /* headway's */
    object type;
} libraries[] = {
    {"_WorkItem", "concurrent.futures.thread", "concurrent/futures/thread.py", {"ThreadPoolExecutor.submit", NULL},
     {"_worker", NULL}, "ThreadPoolExecutor.shutdown", "ThreadPoolExecutor._initializer_failed", false, NULL},
    {"Single", "headway.run.backends.running", "headway/run/backends/threads.py", {"Threads._put", NULL},
     {"Threads._work", NULL}, "Threads._take_all", NULL, true, NULL},
    {"Running", "headway.run.backends.running", "headway/run/backends/threads.py", {"Threads._put", NULL},
     {"Threads._work", NULL}, "Threads._take_all", NULL, true, NULL},
};
enum { LIBRARIES = sizeof libraries / sizeof *libraries };

#define WORDS(X)                                                                                            \
    X(future, "future") X(state, "_state") X(exception, "_exception") X(fn, "fn") X(name, "_thread_name_prefix") \
    X(size, "_max_workers") X(batch, "batch") X(failed, "failed") X(claimed, "_claimed") X(own_name, "_name")   \
    X(workers, "workers")
#define X(name, text) static object name##_word;
WORDS(X)
#undef X

static bool words(void)
{
#define X(name, text) &&hw_word(&name##_word, text)
    return true WORDS(X);
#undef X
}

static inline struct library *of_type(object type)
{
    for (int i = 0; i < LIBRARIES; i++)
        if (libraries[i].type == type)
            return &libraries[i];
    return NULL;
}

/* The library whose item this is, or NULL: it is none. */
static struct library *of_item(object o)
{
    object type = TYPE_OF(o);
    struct library *known = of_type(type);
    if (LIKELY(known != NULL))
        return known;
    const char *name = AT(const char *, type, TYPE_NAME);
    for (int i = 0; i < LIBRARIES; i++)
        if (libraries[i].type == NULL && strcmp(name, libraries[i].item) == 0)
            known = &libraries[i];
    if (known == NULL || !hw_type_is(type, known->item, known->module))
        return NULL;
    hw_Py_IncRef(type);
    known->type = type;
    return known;
}

/* What the job calls: a new reference, or NULL. */
static object function_of(const struct library *library, object item)
{
    if (!library->own)
        return hw_attribute(item, fn_word);
    object batch = hw_attribute(item, batch_word);
    object function = batch != NULL ? hw_attribute(batch, fn_word) : NULL;
    hw_drop(batch);
    return function;
}

/* How it ended. `kept`: a future; or an item of headway's. */
static uint32_t end_of(bool own, object kept)
{
    object state = hw_attribute(kept, own ? claimed_word : state_word), error = hw_attribute(kept, own ? failed_word : exception_word);
    const char *text = state != NULL && !own ? hw_PyUnicode_AsUTF8(state) : NULL;
    uint32_t flags = 0;
    if (own ? state != NULL && state != hw__Py_TrueStruct : text != NULL && strncmp(text, "CANCELLED", 9) == 0)
        flags = HW_UNIT_CANCELLED;
    else if (own ? error == hw__Py_TrueStruct : error != NULL && error != hw__Py_NoneStruct)
        flags = HW_UNIT_FAILED;
    if (hw_PyErr_Occurred() != NULL)
        hw_PyErr_Clear();
    hw_drop(state);
    hw_drop(error);
    return flags;
}

/* ---- pools ---- */

static uint32_t size_of(const struct library *library, object executor)
{
    return executor != NULL ? hw_size(executor, library->own ? workers_word : size_word) : 0;
}

static uint32_t new_pool(const struct library *library, object queue, object executor)
{
    object reference = hw_watch_queue(queue);
    object name = executor != NULL ? hw_attribute(executor, library->own ? own_name_word : name_word) : NULL;
    const char *text = name != NULL ? hw_PyUnicode_AsUTF8(name) : NULL;
    const char *type = library->own ? "headway" : executor != NULL ? AT(const char *, TYPE_OF(executor), TYPE_NAME) : NULL;
    uint32_t workers = size_of(library, executor);
    if (hw_PyErr_Occurred() != NULL)
        hw_PyErr_Clear();
    uint32_t pool = 0;
    if (reference != NULL && hw_in_main()) {
        pool = hw_pool_new(queue, HW_POOL_THREADS, text, type, workers, hw_now());
        hw_out();
    }
    if (pool == 0)
        hw_drop(reference);
    hw_drop(name);
    return pool;
}

/* ---- it was submitted ---- */

static void submitted(struct library *library, object queue, object item)
{
    void *locals[2] = {NULL, NULL};
    if (!hw_in_main())
        return;
    const void *code = hw_top(locals);
    uint32_t pool = hw_pool_of(queue);
    hw_out();
    /* The first two locals of `submit` are the executor and the function. A copy of it may have others. */
    bool known = hw_is_code(code, library->file, &library->submit);
    if (UNLIKELY(pool == 0) && (pool = new_pool(library, queue, known ? locals[0] : NULL)) == 0) {
        ADD(&hw.header->pools.lost, 1);
        return;
    }
    object asked = known && !library->own ? NULL : function_of(library, item);
    uint32_t runs = hw_called(asked != NULL ? asked : known ? locals[1] : NULL);
    hw_drop(asked);
    uint32_t size = library->own && known ? size_of(library, locals[0]) : 0; /* `auto` changes it */
    if (!hw_in_main())
        return;
    uint64_t now = hw_now();
    struct hw_live *live = hw_unit_find(item);
    if (UNLIKELY(live != NULL)) { /* another one, at an address that was used before: its queue was freed with it */
        uint32_t its = hw_unit_slot(live)->on;
        hw_unit_over(live, now, HW_UNIT_DROPPED);
        hw_pool_taken_away(its + 1, HW_UNIT_DROPPED, now);
    }
    live = hw_unit_new(item, HW_UNIT_KIND_JOB, runs, pool - 1, now);
    if (live != NULL) {
        live->ready_ns = now;
        hw_unit_slot(live)->state = HW_NONE;
    }
    hw_pool_submitted(pool, live != NULL, size, now);
    hw_out();
}

/* ---- a worker runs it ---- */

/* `waited`: the call was one that waits for an item. An executor that was given workers of its own, by a subclass, has
 * them do that; who takes jobs away, to cancel them, does not. */
static void begins(struct library *library, object queue, object item, bool waited)
{
    void *locals[2];
    if (!hw_in_main())
        return;
    struct hw_live *live = hw_unit_find(item);
    const void *code = live != NULL ? hw_top(locals) : NULL;
    hw_out();
    if (live == NULL) /* there was no room for it, or it is from before a fork */
        return;
    bool by_worker = waited || hw_is_code(code, library->file, &library->work);
    bool cancelled = !by_worker && hw_code_is(code, library->file, library->cancels);
    bool broken = !by_worker && hw_code_is(code, library->file, library->breaks);
    object kept = by_worker && !library->own ? hw_attribute(item, future_word) : NULL;
    if (by_worker && library->own)
        hw_Py_IncRef(kept = item);
    if (!hw_in_main()) {
        hw_drop(kept);
        return;
    }
    uint64_t now = hw_now();
    uint32_t pool = hw_unit_slot(live)->on + 1;
    if (!by_worker) { /* taken out of the queue to end it; or by who knows whom */
        uint32_t flags = cancelled ? HW_UNIT_CANCELLED : broken ? HW_UNIT_FAILED : HW_UNIT_DROPPED;
        hw_unit_over(live, now, flags);
        hw_pool_taken_away(pool, flags, now);
        hw_out();
        return;
    }
    hw_worker_gets(live, queue, kept, library->own, now);
    hw_out();
}

/* The worker asks for the next one. */
static void ends(object queue)
{
    if (!hw_in_main())
        return;
    bool own = hw_self.job != 0 && hw_self.job_queue == queue;
    object kept = own ? hw_self.job_kept : NULL;
    if (own)
        hw_self.job_kept = NULL;
    hw_out();
    if (!own)
        return;
    uint32_t flags = kept != NULL ? end_of(hw_self.job_own, kept) : 0;
    hw_drop(kept); /* what goes with it is the job's, too */
    if (!hw_in_main())
        return;
    hw_worker_ends(flags, hw_now());
    hw_out();
}

/* ---- the queue's own methods ---- */

static object on_put(object queue, object const *args, size_t n, object names)
{
    object result = put_before(queue, args, n, names);
    struct library *library = n > 0 && result != NULL ? of_item(args[0]) : NULL;
    if (library != NULL)
        submitted(library, queue, args[0]);
    else if (n > 0 && result != NULL && TYPE_OF(args[0]) == hw_PyTuple_Type)
        hw_multiprocessing_pool_given(queue, args[0]);
    return result;
}

static inline object got(object queue, object item, bool waited)
{
    struct library *library = item != NULL ? of_type(TYPE_OF(item)) : NULL;
    if (library != NULL)
        begins(library, queue, item, waited);
    return item;
}

static object on_get(object queue, object type, object const *args, size_t n, object names)
{
    if (UNLIKELY(hw_self.job != 0))
        ends(queue);
    return got(queue, get_before(queue, type, args, n, names), true);
}

static object on_get_nowait(object queue, object type, object const *args, size_t n, object names)
{
    if (UNLIKELY(hw_self.job != 0))
        ends(queue);
    return got(queue, get_nowait_before(queue, type, args, n, names), false);
}

bool hw_jobs_of_queues(object simple_queue)
{
    if (put_before != NULL)
        return false;
    struct method *put = hw_method_of(simple_queue, "put", METH_FASTCALL);
    struct method *get = hw_method_of(simple_queue, "get", METH_METHOD);
    struct method *get_nowait = hw_method_of(simple_queue, "get_nowait", METH_METHOD);
    if (put == NULL || get == NULL || get_nowait == NULL || !words() || !hw_unit_start())
        return false;
    hw_self.job_before.version = 1;
    put_before = (put_method *)(void *)put->function;
    get_before = (get_method *)(void *)get->function;
    get_nowait_before = (get_method *)(void *)get_nowait->function;
    put->function = (object(*)(object, object))(void *)on_put;
    get->function = (object(*)(object, object))(void *)on_get;
    get_nowait->function = (object(*)(object, object))(void *)on_get_nowait;
    return true;
}
