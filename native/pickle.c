/* What goes to other processes, and comes from them: seen where it is packed and unpacked.
 *
 * Pools of processes send their jobs, and the results, through pipes, and pack them by the module _pickle, which is
 * written in C. Ours are put in place of three functions in the interpreter's own tables, when the program has imported
 * _multiprocessing, and call what was there before: `Pickler.dump`, `loads`, and `os.write`, by which who submits a job
 * wakes the thread that packs it. A program that packs something else pays a comparison or two for each.
 *
 * Source: CPython 3.11 to 3.15, Lib/multiprocessing/reduction.py and connection.py, Modules/_pickle.c.
 */
#define _GNU_SOURCE
#include "python_api.h"
#include "tracer.h"

typedef object function_fast(object, object const *, size_t, object);
typedef object method_fast(object, object, object const *, size_t, object);
typedef object builtin_fast(object, object const *, size_t);

static function_fast *loads_before;
static builtin_fast *write_before;
static object (*dump_before)(object, object); /* up to 3.11 */
static method_fast *dump_fast_before;         /* from 3.12 on */

static inline struct packing packs(object o)
{
    return TYPE_OF(o) == hw_PyTuple_Type ? hw_multiprocessing_pool_packs(o) : hw_process_pool_packs(o);
}

static inline object packed(struct packing packing, object result)
{
    if (UNLIKELY(result == NULL && packing.job)) /* its future has that exception */
        hw_away_over(packing.space, packing.number, false, HW_UNIT_FAILED);
    return result;
}

static object on_dump(object pickler, object o)
{
    struct packing packing = packs(o);
    return packed(packing, dump_before(pickler, o));
}

static object on_dump_fast(object pickler, object type, object const *args, size_t n, object names)
{
    object o = n > 0 ? args[0] : NULL;
    if (o == NULL)
        return dump_fast_before(pickler, type, args, n, names);
    struct packing packing = packs(o);
    return packed(packing, dump_fast_before(pickler, type, args, n, names));
}

static object on_loads(object module, object const *args, size_t n, object names)
{
    object result = loads_before(module, args, n, names);
    if (result != NULL && TYPE_OF(result) == hw_PyTuple_Type)
        hw_multiprocessing_pool_unpacked(result);
    else if (result != NULL)
        hw_process_pool_unpacked(result);
    return result;
}

/* Connection.send_bytes(b"") writes four zeros: a wake-up. */
static object on_write(object module, object const *args, size_t n)
{
    if (n == 2 && TYPE_OF(args[1]) == hw_PyBytes_Type && AT(size_t, args[1], VAR_SIZE) == 4 &&
        AT(uint32_t, args[1], BYTES_DATA) == 0)
        hw_process_pool_woken();
    return write_before(module, args, n);
}

bool hw_jobs_of_pickles(object pickle, object posix)
{
    if (loads_before != NULL)
        return false;
    object pickler = hw_PyObject_GetAttrString(pickle, "Pickler");
    if (pickler == NULL) {
        hw_PyErr_Clear();
        return false;
    }
    struct method *loads = hw_method_of(pickle, "loads", METH_FASTCALL), *write = hw_method_of(posix, "write", METH_FAST_PLAIN);
    struct method *dump = hw_method_of(pickler, "dump", METH_O), *dump_fast = hw_method_of(pickler, "dump", METH_METHOD);
    hw_Py_DecRef(pickler); /* the module has it */
    if (loads == NULL || write == NULL || (dump == NULL && dump_fast == NULL) || !hw_unit_start())
        return false;
    hw_self.job_before.version = 1;
    loads_before = (function_fast *)(void *)loads->function;
    write_before = (builtin_fast *)(void *)write->function;
    loads->function = (object(*)(object, object))(void *)on_loads;
    write->function = (object(*)(object, object))(void *)on_write;
    if (dump != NULL) {
        dump_before = dump->function;
        dump->function = on_dump;
    } else {
        dump_fast_before = (method_fast *)(void *)dump_fast->function;
        dump_fast->function = (object(*)(object, object))(void *)on_dump_fast;
    }
    return true;
}
