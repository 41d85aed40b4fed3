/* The jobs of multiprocessing.Pool, in the process that submits them and in its workers.
 *
 * `apply_async` and the kinds of `map` put what they were given into a queue.SimpleQueue, where job.c sees it: a number for
 * the call and one task, or something that gives tasks, each of which is a chunk of calls and has a number, too. A thread
 * of the pool takes the tasks from there, packs each and writes it into a pipe. A worker unpacks it, and has the job then;
 * it packs a tuple with both numbers when it has ended it, and another thread of the pool unpacks that.
 *
 * Calls are numbered through the process, not the pool. Of what a `map` was given the chunks are all submitted when it is
 * called; `imap` draws its items as the pool takes them, and submits a chunk then.
 *
 * Source: CPython 3.11 to 3.15, Lib/multiprocessing/pool.py and queues.py.
 */
#define _GNU_SOURCE
#include "python_api.h"
#include "tracer.h"

#define FILE_NAME "multiprocessing/pool.py"
#define QUEUES "multiprocessing/queues.py"

static struct function handle_tasks = {"Pool._handle_tasks", NULL}, handle_results = {"Pool._handle_results", NULL},
                       worker = {"worker", NULL}, get = {"SimpleQueue.get", NULL}, mapstar = {"mapstar", NULL},
                       starmapstar = {"starmapstar", NULL};
/* Who gives tasks to a pool, and which of its locals is the result, which has the number. */
static struct giver {
    struct function function;
    uint32_t result;
    bool one, lazily; /* it gives one task; what it gives is drawn later */
} givers[] = {
    {{"Pool.apply_async", NULL}, 6, true, false},
    {{"Pool._map_async", NULL}, 9, false, false},
    {{"Pool.imap", NULL}, 4, false, true},
    {{"Pool.imap_unordered", NULL}, 4, false, true},
};
enum { GIVERS = sizeof givers / sizeof *givers, LOCALS = 10 };

#define WORDS(X) X(job, "_job") X(processes, "_processes") X(inqueue, "_inqueue")
#define X(name, text) static object name##_word;
WORDS(X)
#undef X

static bool words(void)
{
#define X(name, text) &&hw_word(&name##_word, text)
    return true WORDS(X);
#undef X
}

/* What was given and has tasks that are not submitted yet: the last so many, by number. */
enum { GIVEN = 256 };
static struct hw_given given[GIVEN];

void hw_multiprocessing_pool_after_fork(void)
{
    for (uint32_t i = 0; i < GIVEN; i++)
        given[i].pool = 0;
}

/* Both numbers in one: 26 bits of the call's and 24 of the task's. */
static uint64_t number_of(long job, long part)
{
    return ((uint64_t)job << 24 | ((uint64_t)part & 0xffffff)) & (((uint64_t)1 << 50) - 1);
}

static inline long number_in(object tuple, ptrdiff_t at)
{
    return hw_long(hw_PyTuple_GetItem(tuple, at));
}

static inline bool is(object tuple, ptrdiff_t at, object type)
{
    return TYPE_OF(hw_PyTuple_GetItem(tuple, at)) == type;
}

/* (job, task, function, arguments, keywords) */
static bool is_task(object tuple)
{
    return AT(size_t, tuple, VAR_SIZE) == 5 && is(tuple, 0, hw_PyLong_Type) && is(tuple, 1, hw_PyLong_Type) &&
           is(tuple, 4, hw_PyDict_Type);
}

/* (job, task, (whether it has a value, that or the exception)): 0, or HW_UNIT_FAILED; -1: it is none. */
static int result_of(object tuple)
{
    if (AT(size_t, tuple, VAR_SIZE) != 3 || !is(tuple, 0, hw_PyLong_Type) || !is(tuple, 1, hw_PyLong_Type) ||
        !is(tuple, 2, hw_PyTuple_Type) || AT(size_t, hw_PyTuple_GetItem(tuple, 2), VAR_SIZE) != 2)
        return -1;
    object has_value = hw_PyTuple_GetItem(hw_PyTuple_GetItem(tuple, 2), 0);
    return has_value == hw__Py_TrueStruct ? 0 : has_value == hw__Py_FalseStruct ? HW_UNIT_FAILED : -1;
}

/* What a task calls: of a chunk the function that is called for each item. Borrowed. */
static object function_of(object task)
{
    object function = hw_PyTuple_GetItem(task, 2), arguments = hw_PyTuple_GetItem(task, 3);
    if (function == NULL || arguments == NULL || TYPE_OF(function) != hw_PyFunction_Type ||
        TYPE_OF(arguments) != hw_PyTuple_Type)
        return function;
    const void *code = AT(const void *, function, FUNCTION_CODE);
    if (!hw_is_code(code, FILE_NAME, &mapstar) && !hw_is_code(code, FILE_NAME, &starmapstar))
        return function;
    object chunk = AT(size_t, arguments, VAR_SIZE) == 1 ? hw_PyTuple_GetItem(arguments, 0) : NULL;
    bool is = chunk != NULL && TYPE_OF(chunk) == hw_PyTuple_Type && AT(size_t, chunk, VAR_SIZE) == 2;
    return is ? hw_PyTuple_GetItem(chunk, 0) : function;
}

/* ---- it was submitted ---- */

static uint32_t pool_of(object queue, object executor)
{
    uint32_t pool = hw_away_known(queue);
    if (pool != 0 || executor == NULL)
        return pool;
    object inqueue = hw_attribute(executor, inqueue_word);
    uint32_t pipe = inqueue != NULL ? hw_pipe_of(inqueue) : 0; /* a ThreadPool has none */
    hw_drop(inqueue);
    return pipe == 0 ? 0
                     : hw_away_pool(queue, HW_POOL_PROCESSES, AT(const char *, TYPE_OF(executor), TYPE_NAME),
                                    hw_size(executor, processes_word), pipe);
}

void hw_multiprocessing_pool_given(object queue, object item)
{
    void *locals[LOCALS] = {NULL};
    if (AT(size_t, item, VAR_SIZE) != 2 || (!is(item, 0, hw_PyGen_Type) && !is(item, 0, hw_PyList_Type)) ||
        (hw_PyTuple_GetItem(item, 1) != hw__Py_NoneStruct && !is(item, 1, hw_PyMethod_Type)) || !hw_in_main())
        return;
    const void *code = hw_frame(0, NULL, 0);
    hw_out();
    const struct giver *giver = NULL;
    for (uint32_t i = 0; i < GIVERS && giver == NULL; i++)
        if (hw_is_code(code, FILE_NAME, &givers[i].function))
            giver = &givers[i];
    if (giver == NULL || !words() || !hw_in_main())
        return;
    hw_frame(0, locals, giver->result + 1);
    hw_out();
    uint32_t pool = pool_of(queue, locals[0]);
    long job = pool != 0 && locals[giver->result] != NULL ? hw_number(locals[giver->result], job_word) : -1;
    if (job < 0)
        return;
    uint32_t runs = hw_called(locals[1]);
    if (giver->one) {
        hw_away_submitted(0, pool, number_of(job, 0), runs, 0, NULL);
    } else if (hw_in_main()) {
        given[job % GIVEN] = (struct hw_given){.pool = pool, .job = (uint64_t)job, .runs = runs, .lazily = giver->lazily};
        hw_given_now(&given[job % GIVEN]);
        hw_out();
    }
}

/* ---- it is sent; a worker has ended it ---- */

struct packing hw_multiprocessing_pool_packs(object tuple)
{
    struct packing packing = {false, 0, 0};
    void *locals[1] = {NULL};
    bool task = is_task(tuple);
    int result = hw_self.job != 0 && !task ? result_of(tuple) : -1;
    if ((!task && result < 0) || !hw_in_main())
        return packing;
    const void *code = hw_frame(2, locals, 1); /* of dumps and send, or put */
    hw_out();
    long job = number_in(tuple, 0), part = number_in(tuple, 1);
    if (job < 0 || part < 0)
        return packing;
    if (!task) {
        if (hw_is_code(code, FILE_NAME, &worker))
            hw_away_ends(number_of(job, part), (uint32_t)result);
    } else if (hw_is_code(code, FILE_NAME, &handle_tasks) && words()) {
        uint32_t pool = hw_away_known(locals[0]);
        if (pool == 0)
            return packing;
        struct hw_given *its = &given[job % GIVEN];
        if (its->pool == pool && its->job == (uint64_t)job)
            hw_away_submitted(0, pool, number_of(job, part), its->runs, 0, its);
        packing = (struct packing){true, 0, number_of(job, part)};
    }
    return packing;
}

/* ---- a worker has it; its result has come ---- */

void hw_multiprocessing_pool_unpacked(object tuple)
{
    void *locals[1] = {NULL};
    bool task = is_task(tuple);
    int result = task ? -1 : result_of(tuple);
    if ((!task && result < 0) || !hw_in_main())
        return;
    const void *code = hw_frame(1, NULL, 0), *inner = hw_frame(0, locals, 1);
    hw_out();
    long job = number_in(tuple, 0), part = number_in(tuple, 1);
    if (job < 0 || part < 0)
        return;
    if (!task) {
        if (hw_is_code(code, FILE_NAME, &handle_results))
            hw_away_over(0, number_of(job, part), true, (uint32_t)result);
    } else if (hw_is_code(code, FILE_NAME, &worker) && hw_is_code(inner, QUEUES, &get) && words()) {
        uint32_t pool = hw_away_seat(locals[0]);
        object function = pool != 0 ? function_of(tuple) : NULL;
        if (function != NULL)
            hw_away_begins(pool, number_of(job, part), hw_called(function), locals[0]);
    }
}
