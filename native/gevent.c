/* What greenlets wait for in gevent, and when its hub is told that they may go on.
 *
 * gevent is compiled by Cython: its functions have no frames that could be walked. But what it offers are objects whose C
 * entry can be ours. Those that wait are noted with their object while they run; a watcher that is started says for what a
 * greenlet waits that waits for nothing else; and `loop.run_callback` is where a greenlet is put in line, or those that
 * wait for an object are. The hub is a greenlet, too.
 *
 * Source: gevent 22 to 26, _hub_primitives.py, _waiter.py, _abstract_linkable.py, libev/corecext.pyx, _ffi/loop.py.
 */
#define _GNU_SOURCE
#include <string.h>

#include "greenlet.h"

#define NOTIFIED 4096u
/* When those that wait for an object were put in line. Where two objects share a place, one of them is not known. */
static struct notified {
    const void *object;
    uint64_t at_ns;
} notified[NOTIFIED];

static object hub_type, waiter_type, greenlet_type;
static object last_hub; /* the type of one, and a reference to it */
static struct reader greenlet_of_waiter;

static inline struct notified *notified_at(const void *o)
{
    return &notified[(uint32_t)(((uintptr_t)o >> 4) * 0x9e3779b97f4a7c15u >> 40) % NOTIFIED];
}

uint64_t hw_gevent_notified(const void *o)
{
    return notified_at(o)->object == o ? notified_at(o)->at_ns : 0;
}

bool hw_is_hub(object greenlet)
{
    object type = TYPE_OF(greenlet);
    if (hub_type == NULL || type == greenlet_type)
        return false;
    if (LIKELY(type == last_hub))
        return true;
    bool is = hw_PyType_IsSubtype(type, hub_type);
    if (is && last_hub == NULL) {
        hw_Py_IncRef(type);
        last_hub = type;
    }
    return is;
}

/* Of a method of an object: the object. */
static object bound_to(object callback)
{
    return TYPE_OF(callback) == hw_PyMethod_Type ? AT(object, callback, METHOD_SELF) : NULL;
}

static bool is_waiter(object o)
{
    return o != NULL && waiter_type != NULL && hw_PyType_IsSubtype(TYPE_OF(o), waiter_type);
}

/* ---- what it waits for ---- */

/* A method whose greenlet may wait in it; the word is for what. */
static object on_wait(object function, object const *args, size_t n, object names)
{
    const struct entry *entry = hw_entry_of(function);
    uint32_t wait = hw_self.wait;
    const void *on = hw_self.wait_on;
    hw_self.wait = entry->word;
    hw_self.wait_on = (n & ~ARGUMENTS_OFFSET) > 0 ? args[0] : NULL;
    object result = entry->before(function, args, n, names);
    hw_self.wait = wait;
    hw_self.wait_on = on;
    return result;
}

/* A function that waits for several. */
static object on_wait_for_all(object function, object const *args, size_t n, object names)
{
    const struct entry *entry = hw_entry_of(function);
    uint32_t wait = hw_self.wait;
    hw_self.wait = wait != 0 ? wait : entry->word; /* joinall waits for objects */
    object result = entry->before(function, args, n, names);
    hw_self.wait = wait;
    return result;
}

/* A watcher is started. Where it is to call a Waiter, the greenlet that starts it waits for it next. */
static object on_start(object function, object const *args, size_t n, object names)
{
    const struct entry *entry = hw_entry_of(function);
    if ((n & ~ARGUMENTS_OFFSET) > 1 && is_waiter(bound_to(args[1])))
        hw_self.watch = entry->word;
    return entry->before(function, args, n, names);
}

/* ---- it may go on ---- */

static void in_line(object callback, bool from_here)
{
    object greenlet = hw_greenlet_of_switch(callback), of = bound_to(callback);
    if (greenlet != NULL && hw_is_greenlet(greenlet)) {
        hw_greenlet_ready(greenlet, from_here);
    } else if (is_waiter(of)) {
        object waits = hw_read(&greenlet_of_waiter, of);
        if (waits != NULL && waits != hw__Py_NoneStruct)
            hw_greenlet_ready(waits, from_here);
        else if (from_here) /* it is going to wait: `sleep(0)` */
            hw_greenlet_gives_way();
        hw_drop(waits);
    } else if (of != NULL) {
        *notified_at(of) = (struct notified){of, hw_now()};
    }
}

static object on_run_callback(object function, object const *args, size_t n, object names)
{
    const struct entry *entry = hw_entry_of(function);
    object result = entry->before(function, args, n, names);
    if (result != NULL && (n & ~ARGUMENTS_OFFSET) > 1 && hw_greenlets_here())
        in_line(args[1], entry->word == 0);
    return result;
}

/* Hub.handle_error(context, type, value, traceback): a greenlet is going to end with an exception. */
static object on_error(object function, object const *args, size_t n, object names)
{
    if ((n & ~ARGUMENTS_OFFSET) > 1)
        hw_greenlet_failed(args[1]);
    return hw_entry_of(function)->before(function, args, n, names);
}

/* ---- at the imports ---- */

static const struct {
    const char *module, *type, *name; /* without a type: a function of the module */
    vectorcall *ours;
    uint32_t word;
} places[] = {
    {"libev.corecext", "loop", "run_callback", on_run_callback, 0},
    {"libev.corecext", "loop", "run_callback_threadsafe", on_run_callback, 1},
    {"libev.corecext", "timer", "start", on_start, HW_SLEEP},
    {"libev.corecext", "io", "start", on_start, HW_IO},
    {"libev.corecext", "watcher", "start", on_start, HW_OTHER},
    {"libev.corecext", "child", "start", on_start, HW_PROCESS},
    {"_gevent_cevent", "Event", "wait", on_wait, HW_EVENT},
    {"_gevent_cevent", "AsyncResult", "wait", on_wait, HW_FUTURE},
    {"_gevent_cevent", "AsyncResult", "get", on_wait, HW_FUTURE},
    {"_gevent_c_semaphore", "Semaphore", "acquire", on_wait, HW_LOCK},
    {"_gevent_c_semaphore", "Semaphore", "__enter__", on_wait, HW_LOCK},
    {"_gevent_c_semaphore", "Semaphore", "wait", on_wait, HW_LOCK},
    {"_gevent_cqueue", "SimpleQueue", "get", on_wait, HW_QUEUE},
    {"_gevent_cqueue", "SimpleQueue", "put", on_wait, HW_QUEUE},
    {"_gevent_cqueue", "SimpleQueue", "peek", on_wait, HW_QUEUE},
    {"_gevent_cqueue", "Queue", "get", on_wait, HW_QUEUE}, /* where it is not SimpleQueue's */
    {"_gevent_cqueue", "Queue", "put", on_wait, HW_QUEUE},
    {"_gevent_cqueue", "Queue", "peek", on_wait, HW_QUEUE},
    {"_gevent_cqueue", "Queue", "join", on_wait, HW_QUEUE},
    {"_gevent_cqueue", "JoinableQueue", "join", on_wait, HW_QUEUE},
    {"_gevent_cqueue", "Channel", "get", on_wait, HW_QUEUE},
    {"_gevent_cqueue", "Channel", "put", on_wait, HW_QUEUE},
    {"_gevent_cgreenlet", "Greenlet", "join", on_wait, HW_JOIN},
    {"_gevent_cgreenlet", "Greenlet", "get", on_wait, HW_JOIN},
    {"_gevent_cgreenlet", "Greenlet", "kill", on_wait, HW_JOIN},
    {"_gevent_cgreenlet", NULL, "joinall", on_wait_for_all, HW_JOIN},
    {"_gevent_cgreenlet", NULL, "killall", on_wait_for_all, HW_JOIN},
    {"_gevent_c_hub_primitives", NULL, "wait_on_objects", on_wait_for_all, HW_EVENT},
};

/* A new reference, or NULL without an error. */
static object attribute(object of, const char *name)
{
    object found = of != NULL ? hw_PyObject_GetAttrString(of, name) : NULL;
    if (of != NULL && found == NULL)
        hw_PyErr_Clear();
    return found;
}

static void watch(object module, const char *name)
{
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        if (strcmp(name, places[i].module) != 0)
            continue;
        object type = places[i].type != NULL ? attribute(module, places[i].type) : NULL;
        object function = attribute(places[i].type != NULL ? type : module, places[i].name);
        if (function != NULL)
            hw_watch(function, places[i].ours, places[i].word, true);
        hw_drop(function);
        hw_drop(type);
    }
}

/* What its libuv loop is made of, and the libev loop without Cython, is in Python; it is there before their C part. */
static void watch_imported(const char *module, const char *type, const char *method, vectorcall *ours, uint32_t word)
{
    object name = hw_PyUnicode_FromString(module);
    object found = name != NULL ? hw_PyImport_GetModule(name) : NULL;
    object in = attribute(found, type), function = attribute(in, method);
    if (hw_PyErr_Occurred() != NULL)
        hw_PyErr_Clear();
    if (function != NULL && TYPE_OF(function) == hw_PyFunction_Type)
        hw_watch(function, ours, word, true);
    hw_drop(function);
    hw_drop(in);
    hw_drop(found);
    hw_drop(name);
}

void hw_gevent_of(object module, const char *name)
{
    if (!hw_greenlets_found())
        return;
    name += strlen("gevent.");
    if (strcmp(name, "_gevent_c_greenlet_primitives") == 0 && hub_type == NULL) {
        hub_type = attribute(module, "SwitchOutGreenletWithLoop");
    } else if (strcmp(name, "_gevent_c_waiter") == 0 && waiter_type == NULL) {
        object type = attribute(module, "Waiter");
        if (type != NULL && hw_reader(type, "greenlet", &greenlet_of_waiter))
            waiter_type = type;
        else
            hw_drop(type);
    } else if (strcmp(name, "libuv._corecffi") == 0 || strcmp(name, "libev._corecffi") == 0) {
        watch_imported("gevent._ffi.loop", "AbstractLoop", "run_callback", on_run_callback, 0);
    } else {
        watch(module, name);
        if (strcmp(name, "_gevent_cgreenlet") == 0 && greenlet_type == NULL)
            greenlet_type = attribute(module, "Greenlet");
    }
    watch_imported("gevent.hub", "Hub", "handle_error", on_error, 0);
}
