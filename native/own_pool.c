/* The jobs of headway's own processes. Our library says what it does, by `sys.audit`, which costs 20 ns where nobody listens,
 * and which the tracer's function stands behind:
 *
 *   headway.batch   batch, function                               a thread has submitted it
 *   headway.flight  pool, batch, submitted ns, pid, first, workers  calls of it are about to be sent to a worker
 *   headway.landed  pool, pid, first, failed                      they have come back, or their worker died in one
 *   headway.lost    pool, pid, first, stopped                     none was begun: nobody wants them, or another gets them
 *   headway.begins  worker, first, function                       in the worker: it has them
 *   headway.ends    first, failed                                 and has done them
 *
 * A job is what a worker gets at once: a flight. Its number is made of the worker's and that of its first call there.
 *
 * Source: src/headway/run/process/pool.py, receiver.py and worker.py.
 */
#define _GNU_SOURCE
#include <string.h>
#include <unistd.h>

#include "python_api.h"
#include "tracer.h"

typedef object builtin_fast(object, object const *, size_t);
static builtin_fast *audit_before;

/* Batches that were submitted, by their address: the last ones. */
enum { SUBMITTED = 4096 };
static struct submitted {
    const void *batch;
    struct hw_given given;
} submitted[SUBMITTED];

static struct submitted *place_of(const void *batch)
{
    return &submitted[((uintptr_t)batch >> 4) * 0x9e3779b97f4a7c15u >> 52];
}

void hw_own_pool_after_fork(void)
{
    for (uint32_t i = 0; i < SUBMITTED; i++)
        submitted[i].batch = NULL;
}

/* No pipe leads to all workers of a pool: jobs are told apart by the worker's pid. It is what parent and workers know. */
static uint32_t pipe_of(uint32_t parent)
{
    return 0x80000000u | parent;
}

static uint64_t number_of(long pid, long first)
{
    return ((uint64_t)pid & 0x3fffff) << 28 | ((uint64_t)first & 0xfffffff);
}

static void batch(object batch, object function)
{
    uint32_t runs = hw_called(function);
    if (!hw_in_main())
        return;
    struct submitted *its = place_of(batch);
    its->batch = batch;
    its->given = (struct hw_given){.runs = runs};
    hw_given_now(&its->given);
    hw_out();
}

static void flight(object owner, object of, long since, long pid, long first, long size)
{
    const struct submitted *its = place_of(of);
    struct hw_given given = {.from = {HW_NOBODY, HW_NOBODY, 0}};
    if (its->batch == of)
        given = its->given;
    given.at_ns = (uint64_t)since;
    uint32_t pool = hw_away_known(owner);
    if (UNLIKELY(pool == 0)) {
        pool = hw_away_pool(owner, HW_POOL_PROCESSES, "headway", (uint32_t)size, pipe_of((uint32_t)getpid()));
        if (pool == 0)
            return;
        ((struct hw_pool *)hw_entry(HW_SECTION_POOLS, pool - 1))->first_stack = given.from.stack;
    }
    hw_away_submitted(pool, pool, number_of(pid, first), given.runs, (uint32_t)size, &given);
}

static uint32_t seat(object worker)
{
    uint32_t pool = hw_away_known(worker);
    return pool != 0 ? pool : hw_away_pool(worker, HW_POOL_WORKER, NULL, 0, pipe_of((uint32_t)getppid()));
}

static void heard(const char *event, object const *args, size_t n)
{
    bool failed = n > 0 && args[n - 1] == hw__Py_TrueStruct;
    if (!hw_in_main())
        return;
    hw_out();
    if (!hw_unit_start())
        return;
    if (strcmp(event, "batch") == 0 && n == 2) {
        batch(args[0], args[1]);
    } else if (strcmp(event, "flight") == 0 && n == 6) {
        flight(args[0], args[1], hw_long(args[2]), hw_long(args[3]), hw_long(args[4]), hw_long(args[5]));
    } else if (strcmp(event, "landed") == 0 && n == 4) {
        uint32_t pool = hw_away_known(args[0]);
        if (pool != 0)
            hw_away_over(pool, number_of(hw_long(args[1]), hw_long(args[2])), true, failed ? HW_UNIT_FAILED : 0);
    } else if (strcmp(event, "lost") == 0 && n == 4) {
        uint32_t pool = hw_away_known(args[0]);
        uint64_t its = number_of(hw_long(args[1]), hw_long(args[2]));
        if (pool != 0 && failed)
            hw_away_over(pool, its, false, HW_UNIT_CANCELLED);
        else if (pool != 0)
            hw_away_erase(pool, its);
    } else if (strcmp(event, "begins") == 0 && n == 3) {
        uint32_t pool = seat(args[0]);
        if (pool != 0)
            hw_away_begins(pool, number_of(getpid(), hw_long(args[1])), hw_called(args[2]), args[0]);
    } else if (strcmp(event, "ends") == 0 && n == 2) {
        hw_away_ends(number_of(getpid(), hw_long(args[0])), failed ? HW_UNIT_FAILED : 0);
    }
}

static object on_audit(object module, object const *args, size_t n)
{
    const char *event = n > 1 && TYPE_OF(args[0]) == hw_PyUnicode_Type ? hw_PyUnicode_AsUTF8(args[0]) : NULL;
    if (event != NULL && strncmp(event, "headway.", 8) == 0)
        heard(event + 8, args + 1, n - 1);
    else if (event == NULL && n > 1 && hw_PyErr_Occurred() != NULL)
        hw_PyErr_Clear();
    return audit_before(module, args, n);
}

void hw_jobs_of_headway(object sys)
{
    struct method *audit = audit_before == NULL ? hw_method_of(sys, "audit", METH_FAST_PLAIN) : NULL;
    if (audit == NULL)
        return;
    audit_before = (builtin_fast *)(void *)audit->function;
    audit->function = (object(*)(object, object))(void *)on_audit;
}
