/* The way into the interpreter: sees that the program imports asyncio, greenlet, or queues, and then has its tasks
 * (task.c), greenlets (switch.c, gevent.c) or the jobs of its executors (job.c) watched.
 *
 * Nothing of it can be seen from Python. A pending call, before the program's own code, puts functions of ours in place
 * of some in the interpreter's own table of methods: `_imp.is_builtin`, which every import of a module asks first, and
 * those that run what a module in C does when it is imported. They call what was there before. A program that imports
 * neither pays one comparison of names an import.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "python_api.h"
#include "tracer.h"

#define X(type, name, arguments) type(*hw_##name) arguments;
PYTHON_FUNCTIONS(X)
#undef X
#define X(name) object hw_##name;
PYTHON_TYPES(X)
#undef X

void (*hw_PyFunction_SetVectorcall)(object, void *);
bool hw_agent_due;
static uint32_t main_gil; /* + 1 */
static const void *main_interpreter; /* the one that was there first; others may have its GIL, or run at the same time */
static object (*is_builtin_before)(object, object), (*exec_dynamic_before)(object, object),
    (*exec_builtin_before)(object, object);

void hw_agent_find(void)
{
    const uint32_t *version = dlsym(RTLD_DEFAULT, "Py_Version");
    const char *option = getenv("HEADWAY_TASKS");
    bool all = version != NULL && *version >> 16 >= 0x030b && *version >> 16 <= 0x030f &&
               !(option != NULL && strcmp(option, "0") == 0);
#define X(type, name, arguments) all = all && (*(void **)&hw_##name = dlsym(RTLD_DEFAULT, #name)) != NULL;
    PYTHON_FUNCTIONS(X)
#undef X
#define X(name) all = all && (hw_##name = dlsym(RTLD_DEFAULT, #name)) != NULL;
    PYTHON_TYPES(X)
#undef X
    *(void **)&hw_PyFunction_SetVectorcall = dlsym(RTLD_DEFAULT, "PyFunction_SetVectorcall");
    hw_agent_due = all;
}

bool hw_in_main(void)
{
    const struct hw_thread *t = hw_in();
    if (LIKELY(t != NULL && t->holds == main_gil && hw_PyInterpreterState_Get() == main_interpreter))
        return true;
    if (t != NULL)
        hw_out();
    return false;
}

/* ---- reading attributes that are in C ---- */

void hw_drop(object o)
{
    if (o != NULL)
        hw_Py_DecRef(o);
}

struct getset { /* PyGetSetDef */
    const char *name;
    object (*get)(object, void *);
    void *set;
    const char *doc;
    void *closure;
};
struct member { /* PyMemberDef */
    const char *name;
    int type;
    ptrdiff_t offset;
};

bool hw_reader(object type, const char *name, struct reader *reader)
{
    object descriptor = hw_PyObject_GetAttrString(type, name);
    if (descriptor == NULL) {
        hw_PyErr_Clear();
        return false;
    }
    object is = TYPE_OF(descriptor);
    *reader = (struct reader){NULL, NULL, 0};
    if (is == hw_PyGetSetDescr_Type) {
        const struct getset *def = AT(struct getset *, descriptor, DESCR_DEF);
        if (strcmp(def->name, name) == 0)
            *reader = (struct reader){def->get, def->closure, 0};
    } else if (is == hw_PyMethodDescr_Type) {
        const struct method *def = AT(struct method *, descriptor, DESCR_DEF);
        if (strcmp(def->name, name) == 0 && def->flags == METH_NOARGS)
            reader->get = def->function;
    } else if (is == hw_PyMemberDescr_Type) {
        const struct member *def = AT(struct member *, descriptor, DESCR_DEF);
        enum { OBJECT = 6, OBJECT_EX = 16 };
        if (strcmp(def->name, name) == 0 && (def->type == OBJECT || def->type == OBJECT_EX))
            reader->offset = def->offset;
    }
    hw_Py_DecRef(descriptor);
    return reader->get != NULL || reader->offset != 0;
}

object hw_read(const struct reader *reader, object of)
{
    object found;
    if (reader->get != NULL) {
        found = reader->get(of, reader->closure);
        if (UNLIKELY(found == NULL))
            hw_PyErr_Clear();
    } else {
        found = reader->offset != 0 ? AT(object, of, reader->offset) : NULL;
        if (found != NULL)
            hw_Py_IncRef(found);
    }
    return found;
}

/* ---- imports ---- */

/* An attribute of a module that has been imported: a new reference, or NULL. */
static object from_module(const char *module, const char *name)
{
    object word = hw_PyUnicode_FromString(module);
    object found = word != NULL ? hw_PyImport_GetModule(word) : NULL;
    object value = found != NULL ? hw_PyObject_GetAttrString(found, name) : NULL;
    if (value == NULL)
        hw_PyErr_Clear();
    hw_drop(word);
    hw_drop(found);
    return value;
}

static void watch_asyncio(void)
{
    object loop = from_module("asyncio.base_events", "BaseEventLoop"), task = from_module("_asyncio", "Task");
    object eager = from_module("asyncio.tasks", "eager_task_factory");
    object make_eager = from_module("asyncio.tasks", "create_eager_task_factory");
    if (loop != NULL && task != NULL && hw_tasks_of_asyncio(loop, task, eager, make_eager))
        __atomic_fetch_or(&hw.header->flags, HW_FLAG_TASKS, __ATOMIC_RELAXED);
    hw_drop(loop);
    hw_drop(task);
    hw_drop(eager);
    hw_drop(make_eager);
}

static void watch_uvloop(void)
{
    object loop = from_module("uvloop.loop", "Loop");
    if (loop != NULL)
        hw_tasks_of_loop(loop);
    hw_drop(loop);
}

static void watch_queues(object module)
{
    object queue = hw_PyObject_GetAttrString(module, "SimpleQueue");
    if (queue == NULL)
        hw_PyErr_Clear();
    else if (hw_jobs_of_queues(queue))
        __atomic_fetch_or(&hw.header->flags, HW_FLAG_JOBS, __ATOMIC_RELAXED);
    hw_drop(queue);
}

static object module_of(const char *name)
{
    object word = hw_PyUnicode_FromString(name);
    object module = word != NULL ? hw_PyImport_GetModule(word) : NULL;
    if (module == NULL)
        hw_PyErr_Clear();
    hw_drop(word);
    return module;
}

/* What packs for other processes is there before: multiprocessing imports it first. */
static void watch_multiprocessing(void)
{
    object pickle = module_of("_pickle"), posix = module_of("posix");
    if (pickle != NULL && posix != NULL && hw_jobs_of_pickles(pickle, posix))
        __atomic_fetch_or(&hw.header->flags, HW_FLAG_JOBS, __ATOMIC_RELAXED);
    hw_drop(pickle);
    hw_drop(posix);
}

static bool is_ours(void)
{
    return hw.on && hw_self.slot != NULL && hw_self.slot->holds == main_gil && hw_PyInterpreterState_Get() == main_interpreter;
}

static void watch_greenlets(object module)
{
    if (hw_greenlets_of(module))
        __atomic_fetch_or(&hw.header->flags, HW_FLAG_GREENLETS, __ATOMIC_RELAXED);
}

/* A module in C is there: were its functions looked at when it is asked for, it would be too early. */
static object executed(object module, object result)
{
    object name = result != NULL && is_ours() ? hw_PyObject_GetAttrString(module, "__name__") : NULL;
    const char *text = name != NULL ? hw_PyUnicode_AsUTF8(name) : NULL;
    if (result != NULL && text == NULL && hw_PyErr_Occurred() != NULL)
        hw_PyErr_Clear();
    if (text != NULL && UNLIKELY(strcmp(text, "_queue") == 0))
        watch_queues(module);
    if (text != NULL && UNLIKELY(strcmp(text, "_multiprocessing") == 0))
        watch_multiprocessing();
    if (text != NULL && UNLIKELY(strcmp(text, "greenlet._greenlet") == 0))
        watch_greenlets(module);
    if (text != NULL && UNLIKELY(strncmp(text, "gevent.", 7) == 0))
        hw_gevent_of(module, text);
    hw_drop(name);
    return result;
}

static object on_exec_dynamic(object imp, object module)
{
    return executed(module, exec_dynamic_before(imp, module));
}

static object on_exec_builtin(object imp, object module)
{
    return executed(module, exec_builtin_before(imp, module));
}

/* Each of these is imported when what we want of its package is there: see asyncio/__init__.py, uvloop/__init__.py. */
static object on_import(object module, object name)
{
    bool ours = is_ours();
    const char *text = ours ? hw_PyUnicode_AsUTF8(name) : NULL;
    if (ours && text == NULL)
        hw_PyErr_Clear();
    if (text != NULL && UNLIKELY(strcmp(text, "asyncio.unix_events") == 0))
        watch_asyncio();
    else if (text != NULL && UNLIKELY(strcmp(text, "uvloop._version") == 0))
        watch_uvloop();
    return is_builtin_before(module, name);
}

static bool replace(object imp, const char *name, object (*ours)(object, object), object (**before)(object, object))
{
    object function = hw_PyObject_GetAttrString(imp, name);
    struct method *method = NULL;
    if (function != NULL && TYPE_OF(function) == hw_PyCFunction_Type)
        method = AT(struct method *, function, CFUNCTION_METHOD);
    if (method != NULL && (strcmp(method->name, name) != 0 || method->flags != METH_O))
        method = NULL;
    if (method != NULL) {
        *before = method->function;
        method->function = ours;
    }
    hw_drop(function);
    return method != NULL;
}

/* In the main thread, between two instructions, with the GIL. */
static int boot(void *unused)
{
    (void)unused;
    object imp = hw_PyImport_ImportModule("_imp");
    const struct hw_thread *t = hw_self.slot;
    if (imp != NULL && main_gil == 0 && t != NULL && t->holds != 0) {
        main_gil = t->holds;
        main_interpreter = hw_PyInterpreterState_Get();
        if (replace(imp, "is_builtin", on_import, &is_builtin_before))
            watch_asyncio(); /* it may be there already */
        replace(imp, "exec_dynamic", on_exec_dynamic, &exec_dynamic_before);
        replace(imp, "exec_builtin", on_exec_builtin, &exec_builtin_before);
        object queues = module_of("_queue"), greenlets = module_of("greenlet._greenlet");
        object multiprocessing = module_of("_multiprocessing"), sys = module_of("sys");
        if (queues != NULL)
            watch_queues(queues);
        if (greenlets != NULL)
            watch_greenlets(greenlets);
        if (multiprocessing != NULL)
            watch_multiprocessing();
        if (sys != NULL)
            hw_jobs_of_headway(sys);
        hw_drop(sys);
        hw_drop(queues);
        hw_drop(greenlets);
        hw_drop(multiprocessing);
    }
    if (hw_PyErr_Occurred() != NULL)
        hw_PyErr_Clear();
    hw_drop(imp);
    return 0;
}

/* A blocking call has returned; this thread need not have the GIL. */
void hw_agent_start(void)
{
    if (!hw_Py_IsInitialized() || (PEEK(&hw.header->flags) & (HW_FLAG_STACKS | HW_FLAG_FREE_THREADED)) != HW_FLAG_STACKS)
        return;
    if (__atomic_exchange_n(&hw_agent_due, false, __ATOMIC_ACQ_REL) && hw_Py_AddPendingCall(boot, NULL) != 0)
        hw_agent_due = true; /* too many wait: again later */
}
