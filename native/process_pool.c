/* The jobs of ProcessPoolExecutor, in the process that submits them and in its workers.
 *
 * `submit` puts the job's number into a queue and wakes the executor's own thread by an empty message. That thread puts a
 * _CallItem, which has the number, into a queue of multiprocessing, and a thread of that packs it and writes it into a
 * pipe. A worker unpacks it, and has the job then; it packs a _ResultItem with the number when it has ended it, and the
 * executor's thread unpacks that. Jobs are sent in the order of their numbers: one that was left out was cancelled.
 *
 * Source: CPython 3.11 to 3.15, Lib/concurrent/futures/process.py, Lib/multiprocessing/queues.py.
 */
#define _GNU_SOURCE
#include "python_api.h"
#include "tracer.h"

#define MODULE "concurrent.futures.process"
#define FILE_NAME "concurrent/futures/process.py"
#define QUEUES "multiprocessing/queues.py"

static struct class call_item = {"_CallItem", NULL}, result_item = {"_ResultItem", NULL};
static struct function submit = {"ProcessPoolExecutor.submit", NULL}, feed = {"Queue._feed", NULL}, get = {"Queue.get", NULL},
                       take = {"_ExecutorManagerThread.wait_result_broken_or_wakeup", NULL},
                       chunk = {"_process_chunk", NULL}; /* what `map` submits, as a partial */
enum { FEED_ONERROR = 7 }; /* of the locals of `_feed`: a method of the queue */

#define WORDS(X)                                                                                              \
    X(call_queue, "_call_queue") X(count, "_queue_count") X(size, "_max_workers") X(work_id, "work_id")       \
    X(fn, "fn") X(exception, "exception") X(queue, "call_queue")
#define X(name, text) static object name##_word;
WORDS(X)
#undef X

static bool words(void)
{
#define X(name, text) &&hw_word(&name##_word, text)
    return true WORDS(X);
#undef X
}

/* ---- it was submitted ---- */

void hw_process_pool_woken(void)
{
    void *locals[2] = {NULL, NULL};
    enum { ABOVE = 4 }; /* _send, _send_bytes, send_bytes, wakeup */
    if (!hw_in_main())
        return;
    const void *code = hw_frame(ABOVE, locals, 2);
    hw_out();
    if (code == NULL || !hw_is_code(code, FILE_NAME, &submit) || !words())
        return;
    object executor = locals[0], queue = hw_attribute(executor, call_queue_word);
    long count = hw_number(executor, count_word);
    uint32_t size = hw_size(executor, size_word), pool = queue != NULL ? hw_away_known(queue) : 0;
    if (UNLIKELY(pool == 0) && queue != NULL)
        pool = hw_away_pool(queue, HW_POOL_PROCESSES, AT(const char *, TYPE_OF(executor), TYPE_NAME), size,
                            hw_pipe_of(queue));
    hw_drop(queue); /* the executor has it */
    if (pool == 0 || count <= 0)
        ADD(&hw.header->pools.lost, 1);
    else
        hw_away_submitted(pool, pool, (uint64_t)count - 1, hw_called(hw_mapped(locals[1], FILE_NAME, &chunk)), size, NULL);
}

/* ---- it is sent ---- */

/* The queue whose thread packs what it was given; NULL: another packs. */
static object fed_queue(void)
{
    void *locals[FEED_ONERROR + 1] = {NULL};
    if (!hw_in_main())
        return NULL;
    const void *code = hw_frame(1, locals, FEED_ONERROR + 1);
    hw_out();
    object error = code != NULL && hw_is_code(code, QUEUES, &feed) ? locals[FEED_ONERROR] : NULL;
    return error != NULL && TYPE_OF(error) == hw_PyMethod_Type ? AT(object, error, METHOD_SELF) : NULL;
}

static uint64_t submitted_to(uint32_t pool)
{
    const struct hw_pool *its = hw_entry(HW_SECTION_POOLS, pool - 1);
    return its->jobs + its->lost;
}

struct packing hw_process_pool_packs(object o)
{
    struct packing packing = {false, 0, 0};
    object type = TYPE_OF(o);
    if (LIKELY(type != call_item.type && type != result_item.type && o != hw__Py_NoneStruct) &&
        AT(const char *, type, TYPE_NAME)[0] != '_')
        return packing;
    if (o == hw__Py_NoneStruct) { /* workers are told to end: what has not been sent will not be */
        object queue = fed_queue();
        uint32_t pool = queue != NULL ? hw_away_known(queue) : 0;
        if (pool != 0 && hw_pipe_of(queue) != 0) /* else it is closed, because a worker has died */
            hw_away_sent(pool, submitted_to(pool), HW_UNIT_CANCELLED);
    } else if (hw_class_is(type, &call_item, MODULE) && words()) {
        object queue = fed_queue();
        uint32_t pool = queue != NULL ? hw_away_known(queue) : 0;
        long number = hw_number(o, work_id_word);
        if (pool != 0 && number >= 0) {
            hw_away_sent(pool, (uint64_t)number, HW_UNIT_CANCELLED);
            packing = (struct packing){true, pool, (uint64_t)number};
        }
    } else if (hw_self.job != 0 && hw_class_is(type, &result_item, MODULE) && words()) {
        object error = hw_attribute(o, exception_word);
        long number = hw_number(o, work_id_word);
        bool failed = error != NULL && error != hw__Py_NoneStruct;
        hw_drop(error);
        if (number >= 0)
            hw_away_ends((uint64_t)number, failed ? HW_UNIT_FAILED : 0);
    }
    return packing;
}

/* ---- a worker has it; its result has come ---- */

void hw_process_pool_unpacked(object o)
{
    object type = TYPE_OF(o);
    void *locals[1] = {NULL};
    bool is_call = type == call_item.type, is_result = type == result_item.type;
    if (LIKELY(!is_call && !is_result)) {
        if (LIKELY(AT(const char *, type, TYPE_NAME)[0] != '_'))
            return;
        is_call = hw_class_is(type, &call_item, MODULE);
        is_result = !is_call && hw_class_is(type, &result_item, MODULE);
    }
    if ((!is_call && !is_result) || !words() || !hw_in_main())
        return;
    const void *code = hw_frame(is_call ? 0 : 1, locals, 1);
    hw_out();
    long number = hw_number(o, work_id_word);
    if (code == NULL || number < 0)
        return;
    if (is_call && hw_is_code(code, QUEUES, &get)) {
        uint32_t pool = hw_away_seat(locals[0]);
        object function = pool != 0 ? hw_attribute(o, fn_word) : NULL;
        if (function != NULL)
            hw_away_begins(pool, (uint64_t)number, hw_called(hw_mapped(function, FILE_NAME, &chunk)), locals[0]);
        hw_drop(function);
    } else if (is_result && hw_is_code(code, FILE_NAME, &take)) {
        object queue = hw_attribute(locals[0], queue_word), error = hw_attribute(o, exception_word);
        uint32_t pool = queue != NULL ? hw_away_known(queue) : 0;
        bool failed = error != NULL && error != hw__Py_NoneStruct;
        hw_drop(queue);
        hw_drop(error);
        if (pool != 0)
            hw_away_over(pool, (uint64_t)number, true, failed ? HW_UNIT_FAILED : 0);
    }
}
