/* The jobs of thread pools, seen in their queues.
 *
 * `ThreadPoolExecutor.submit` makes a _WorkItem and puts it into a queue.SimpleQueue, from which a worker gets it. Those
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
static object item_type;        /* concurrent.futures.thread._WorkItem */
static const void *submit_code; /* of ThreadPoolExecutor.submit */
static const void *worker_code; /* of _worker */
static object future_word, state_word, exception_word, function_word, name_word, size_word;

/* An attribute, found without running code of the program, whatever its class overrides. */
static object attribute(object of, object word)
{
    object found = hw_PyObject_GenericGetAttr(of, word);
    if (found == NULL)
        hw_PyErr_Clear();
    return found;
}

static bool is_in(const void *code, const char *name)
{
    char text[1536];
    size_t name_at, n;
    static const char file[] = "concurrent/futures/thread.py";
    hw_frame_text(code, text, sizeof text, &name_at);
    n = name_at - 1;
    return strcmp(text + name_at, name) == 0 && n >= sizeof file - 1 && strcmp(text + n - (sizeof file - 1), file) == 0;
}

/* Is this the code of that function? It is looked at once, and kept from then on. */
static bool is_code(const void *code, const void **kept, const char *name)
{
    if (LIKELY(code == *kept && code != NULL))
        return true;
    if (*kept != NULL || code == NULL || !is_in(code, name))
        return false;
    hw_Py_IncRef((object)code);
    *kept = code;
    return true;
}

static bool is_item(object o)
{
    object type = TYPE_OF(o);
    if (LIKELY(type == item_type))
        return true;
    if (item_type != NULL || strcmp(AT(const char *, type, TYPE_NAME), "_WorkItem") != 0 || !hw_in_main())
        return false;
    hw_out();
    object module = hw_PyObject_GetAttrString(type, "__module__");
    const char *text = module != NULL ? hw_PyUnicode_AsUTF8(module) : NULL;
    bool is = text != NULL && strcmp(text, "concurrent.futures.thread") == 0;
    if (hw_PyErr_Occurred() != NULL)
        hw_PyErr_Clear();
    hw_drop(module);
    if (is) {
        hw_Py_IncRef(type);
        item_type = type;
    }
    return is;
}

/* ---- pools ---- */

/* A queue is freed: another may come at its address. `key`: the address, as a number. */
static object on_gone(object key, object reference)
{
    const void *queue = (const void *)(uintptr_t)hw_PyLong_AsLong(key);
    if (hw_in_main()) {
        hw_pool_gone(queue, hw_now());
        hw_out();
    }
    hw_Py_DecRef(reference); /* the one that was kept for this call */
    hw_Py_IncRef(hw__Py_NoneStruct);
    return hw__Py_NoneStruct;
}

static uint32_t new_pool(object queue, object executor)
{
    static struct method gone = {"headway", on_gone, METH_O, NULL};
    object key = hw_PyLong_FromVoidPtr(queue);
    object call = key != NULL ? hw_PyCFunction_NewEx(&gone, key, NULL) : NULL;
    object reference = call != NULL ? hw_PyWeakref_NewRef(queue, call) : NULL;
    hw_drop(key);
    hw_drop(call);
    object name = executor != NULL ? attribute(executor, name_word) : NULL;
    object size = executor != NULL ? attribute(executor, size_word) : NULL;
    const char *text = name != NULL ? hw_PyUnicode_AsUTF8(name) : NULL;
    long workers = size != NULL ? hw_PyLong_AsLong(size) : 0;
    const char *type = executor != NULL ? AT(const char *, TYPE_OF(executor), TYPE_NAME) : NULL;
    if (hw_PyErr_Occurred() != NULL)
        hw_PyErr_Clear();
    uint32_t pool = 0;
    if (reference != NULL && hw_in_main()) {
        pool = hw_pool_new(queue, HW_POOL_THREADS, text, type, workers > 0 && workers < INT32_MAX ? (uint32_t)workers : 0,
                           hw_now());
        hw_out();
    }
    if (pool == 0)
        hw_drop(reference);
    hw_drop(name);
    hw_drop(size);
    return pool;
}

/* ---- it was submitted ---- */

static void submitted(object queue, object item)
{
    void *locals[2] = {NULL, NULL};
    if (!hw_in_main())
        return;
    const void *code = hw_top(locals);
    uint32_t pool = hw_pool_of(queue);
    hw_out();
    /* The first two locals of `submit` are the executor and the function. A copy of it may have others. */
    bool known = is_code(code, &submit_code, "ThreadPoolExecutor.submit");
    if (UNLIKELY(pool == 0) && (pool = new_pool(queue, known ? locals[0] : NULL)) == 0) {
        ADD(&hw.header->pools.lost, 1);
        return;
    }
    object asked = known ? NULL : attribute(item, function_word);
    uint32_t runs = hw_called(known ? locals[1] : asked);
    hw_drop(asked);
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
    hw_pool_submitted(pool, live != NULL, now);
    hw_out();
}

/* ---- a worker runs it ---- */

/* `waited`: the call was one that waits for an item. An executor that was given workers of its own, by a subclass, has
 * them do that; who takes jobs away, to cancel them, does not. */
static void begins(object queue, object item, bool waited)
{
    void *locals[2];
    if (!hw_in_main())
        return;
    struct hw_live *live = hw_unit_find(item);
    const void *code = live != NULL ? hw_top(locals) : NULL;
    hw_out();
    if (live == NULL) /* there was no room for it, or it is from before a fork */
        return;
    bool by_worker = waited || is_code(code, &worker_code, "_worker");
    bool cancelled = !by_worker && code != NULL && is_in(code, "ThreadPoolExecutor.shutdown");
    bool broken = !by_worker && code != NULL && is_in(code, "ThreadPoolExecutor._initializer_failed");
    object future = by_worker ? attribute(item, future_word) : NULL;
    if (!hw_in_main()) {
        hw_drop(future);
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
    struct hw_unit *u = hw_unit_slot(live);
    uint64_t queued_ns = now - live->since_ns;
    hw_self.job = hw_unit_take(live);
    hw_self.job_queue = queue;
    hw_self.job_future = future;
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
    hw_pool_begun(pool, queued_ns, now);
    hw_unit_keep_totals(&hw_self.job_before, hw_self.slot);
    hw_out();
}

/* The worker asks for the next one. */
static void ends(object queue)
{
    if (!hw_in_main())
        return;
    bool own = hw_self.job != 0 && hw_self.job_queue == queue;
    object future = own ? hw_self.job_future : NULL;
    if (own)
        hw_self.job_future = NULL;
    hw_out();
    if (!own)
        return;
    uint32_t flags = 0;
    if (future != NULL) {
        object state = attribute(future, state_word), error = attribute(future, exception_word);
        const char *text = state != NULL ? hw_PyUnicode_AsUTF8(state) : NULL;
        if (text != NULL && strncmp(text, "CANCELLED", 9) == 0)
            flags = HW_UNIT_CANCELLED;
        else if (error != NULL && error != hw__Py_NoneStruct)
            flags = HW_UNIT_FAILED;
        if (hw_PyErr_Occurred() != NULL)
            hw_PyErr_Clear();
        hw_drop(state);
        hw_drop(error);
        hw_Py_DecRef(future); /* what goes with it is the job's, too */
    }
    if (!hw_in_main())
        return;
    uint64_t now = hw_now();
    struct hw_live *live = hw_unit_at(hw_self.job);
    struct hw_unit *u = hw_unit_slot(live);
    uint64_t run_ns = now - live->since_ns;
    hw_self.job = 0;
    hw_change(&u->version);
    hw_unit_share_out(u, hw_self.slot, &hw_self.job_before, now, run_ns);
    u->loop_ns += run_ns;
    if (run_ns > u->longest_ns)
        u->longest_ns = run_ns;
    u->since_ns = live->since_ns = now;
    hw_change(&u->version);
    uint32_t pool = u->on + 1;
    hw_unit_over(live, now, flags);
    hw_pool_ended(pool, run_ns, flags, now);
    hw_out();
}

/* ---- the queue's own methods ---- */

static object on_put(object queue, object const *args, size_t n, object names)
{
    object result = put_before(queue, args, n, names);
    if (n > 0 && result != NULL && is_item(args[0]))
        submitted(queue, args[0]);
    return result;
}

static inline object got(object queue, object item, bool waited)
{
    if (item != NULL && TYPE_OF(item) == item_type)
        begins(queue, item, waited);
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

static struct method *method_of(object type, const char *name, int flags)
{
    object descriptor = hw_PyObject_GetAttrString(type, name);
    struct method *method = NULL;
    if (descriptor != NULL && TYPE_OF(descriptor) == hw_PyMethodDescr_Type)
        method = AT(struct method *, descriptor, DESCR_DEF);
    if (descriptor == NULL)
        hw_PyErr_Clear();
    hw_drop(descriptor);
    return method != NULL && strcmp(method->name, name) == 0 && method->flags == flags ? method : NULL;
}

bool hw_jobs_of_queues(object simple_queue)
{
    if (put_before != NULL)
        return false;
    struct method *put = method_of(simple_queue, "put", METH_FASTCALL), *get = method_of(simple_queue, "get", METH_METHOD);
    struct method *get_nowait = method_of(simple_queue, "get_nowait", METH_METHOD);
    const struct {
        object *word;
        const char *text;
    } words[] = {
        {&future_word, "future"}, {&state_word, "_state"}, {&exception_word, "_exception"},
        {&function_word, "fn"},   {&name_word, "_thread_name_prefix"}, {&size_word, "_max_workers"},
    };
    bool all = put != NULL && get != NULL && get_nowait != NULL;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        all = all && (*words[i].word = hw_PyUnicode_InternFromString(words[i].text)) != NULL;
    if (!all || !hw_unit_start()) {
        hw_PyErr_Clear();
        return false;
    }
    hw_self.job_before.version = 1;
    put_before = (put_method *)(void *)put->function;
    get_before = (get_method *)(void *)get->function;
    get_nowait_before = (get_method *)(void *)get_nowait->function;
    put->function = (object(*)(object, object))(void *)on_put;
    get->function = (object(*)(object, object))(void *)on_get;
    get_nowait->function = (object(*)(object, object))(void *)on_get_nowait;
    return true;
}
