/* The tasks of asyncio, seen where their loops handle them.
 *
 * A task (of `_asyncio`, written in C) is put in line by `loop.call_soon(step)`, where `step` is one of two things: a
 * TaskStepMethWrapper, or the builtin method `task_wakeup`. When its turn comes the loop calls that. So there are three
 * places to look: the C entry of the function `call_soon` of each loop's class, and the functions in C behind the two. We
 * put ours there, and they call what was there before. Python code sees the same objects as ever, and whatever else a
 * loop does costs nothing more.
 *
 * Source: CPython 3.11 to 3.15, Modules/_asynciomodule.c, Lib/asyncio/base_events.py.
 */
#define _GNU_SOURCE
#include <string.h>

#include "python_api.h"
#include "tracer.h"

#define TURN (&hw_self.turns[HW_UNIT_KIND_TASK])

static object task_type, step_type;
static struct method *wakeup; /* in _asyncio */
static object (*wakeup_before)(object, object), (*step_before)(object, object, object);
static struct reader is_done, is_cancelled, exception, name_of, is_told;
static void (*finalize_before)(object);

/* Takes the name over. */
static void name_it(object task, object name)
{
    const char *text = name != NULL ? hw_PyUnicode_AsUTF8(name) : NULL;
    if (text == NULL)
        hw_PyErr_Clear();
    else {
        hw_self.busy = true;
        struct hw_live *live = hw_unit_find(task);
        if (live != NULL)
            hw_unit_named(live, text);
        hw_out();
    }
    hw_drop(name);
}

/* `coroutine`: what it runs, or NULL: ask the task. */
static struct hw_live *begin_unit(object task, object coroutine, uint64_t now, uint32_t flags)
{
    object asked = coroutine == NULL ? hw_coroutine_of(task) : NULL;
    coroutine = coroutine != NULL ? coroutine : asked;
    uint32_t runs = hw_code_of(coroutine);
    hw_self.busy = true;
    struct hw_live *live = hw_unit_new(task, HW_UNIT_KIND_TASK, runs, HW_NOBODY, now);
    if (live != NULL && flags != 0 && !(hw_unit_slot(live)->flags & HW_UNIT_MANY))
        hw_unit_slot(live)->flags |= flags;
    hw_out();
    /* Cython's: it has a name, but no code that could be read. Of any other object the question might run its own code. */
    if (runs == 0 && live != NULL && coroutine != NULL && strstr(AT(const char *, TYPE_OF(coroutine), TYPE_NAME), "coroutine"))
        name_it(task, hw_PyObject_GetAttrString(coroutine, "__qualname__"));
    hw_drop(asked);
    return live;
}

/* ---- it was put in line ---- */

static void made_ready(object task, bool by_step)
{
    if (!hw_in_main())
        return;
    uint64_t now = hw_now();
    struct hw_live *live = hw_unit_find(task);
    /* Subtle: a task that waits for a future is woken through `task_wakeup`, and one in line is not put there again. So
     * this is another one, at an address that was used before. */
    if (UNLIKELY(live != NULL && by_step && !live->runs && (live->ready_ns != 0 || live->wait != HW_OTHER))) {
        hw_unit_over(live, now, HW_UNIT_DROPPED);
        live = NULL;
    }
    if (live == NULL) {
        hw_out();
        live = begin_unit(task, NULL, now, by_step ? 0 : HW_UNIT_LATE);
        hw_self.busy = true;
    }
    if (live != NULL)
        hw_unit_ready(live, now);
    hw_out();
}

/* ---- a step of it ---- */

struct step {
    struct hw_live *live;
    uint32_t before;
};

static struct step step_begins(object task)
{
    struct step step = {NULL, TURN->unit};
    hw_Py_IncRef(task);
    if (!hw_in_main())
        return step;
    struct hw_live *live = hw_unit_find(task);
    if (UNLIKELY(live != NULL && live->ready_ns != 0 && live->waited_ns >= hw.stack_threshold_ns)) {
        hw_unit_waited(live);
    }
    uint64_t now = hw_now();
    if (UNLIKELY(live == NULL)) {
        hw_out();
        live = begin_unit(task, NULL, now, HW_UNIT_LATE);
        hw_self.busy = true;
    }
    if (live != NULL)
        hw_unit_begin(live, now);
    hw_out();
    step.live = live;
    return step;
}

static void step_ends(object task, struct step step, object result)
{
    struct hw_live *live = step.live;
    TURN->unit = step.before;
    if (live != NULL && live->key == task && live->runs && hw_in_main()) {
        uint64_t now = hw_now();
        uint32_t wait = HW_OTHER, on = HW_NOBODY, flags = 0, stack = 0;
        hw_out();
        object done = hw_read(&is_done, task);
        bool over = done == hw__Py_TrueStruct;
        hw_drop(done);
        bool is_long = now - live->since_ns >= HW_LONG_STEP_NS;
        if (result == NULL) { /* an exception that ends the loop, too, is on its way */
            flags = HW_UNIT_FAILED;
        } else if (over) {
            object cancelled = hw_read(&is_cancelled, task), error = hw_read(&exception, task);
            if (cancelled == hw__Py_TrueStruct)
                flags = HW_UNIT_CANCELLED;
            else if (error != NULL && error != hw__Py_NoneStruct)
                flags = HW_UNIT_FAILED;
            hw_drop(cancelled);
            hw_drop(error);
        } else {
            if (live->ready_ns == 0)
                wait = hw_wait_of(task, &on, &stack);
            else if (is_long)
                stack = hw_stack_of_task(task);
        }
        if (result != NULL && (is_long || (!over && hw_unit_slot(live)->name == 0)))
            name_it(task, hw_read(&name_of, task));
        hw_self.busy = true;
        hw_unit_end(live, now, over ? HW_NONE : wait, on, stack);
        if (over)
            hw_unit_over(live, now, flags);
        hw_out();
    }
    hw_Py_DecRef(task);
}

static object on_wakeup(object task, object future)
{
    struct step step = step_begins(task);
    object result = wakeup_before(task, future);
    step_ends(task, step, result);
    return result;
}

static object on_step(object self, object args, object names)
{
    object task = AT(object, self, STEP_TASK);
    if (task == NULL)
        return step_before(self, args, names);
    struct step step = step_begins(task);
    object result = step_before(self, args, names);
    step_ends(task, step, result);
    return result;
}

/* ---- call_soon of the loops ---- */

/* What a loop is given to call, seen for the first time: is it one of the two? */
static void learn(object callback)
{
    object type = TYPE_OF(callback);
    const char *name = AT(const char *, type, TYPE_NAME);
    if (type == hw_PyCFunction_Type) {
        struct method *method = AT(struct method *, callback, CFUNCTION_METHOD);
        object self = AT(object, callback, CFUNCTION_SELF);
        if (wakeup == NULL && strcmp(method->name, "task_wakeup") == 0 && method->flags == METH_O && self != NULL &&
            hw_is_task(self)) {
            wakeup_before = method->function;
            method->function = on_wakeup;
            wakeup = method;
        }
    } else if (step_type == NULL && strstr(name, "TaskStepMethWrapper") != NULL &&
               AT(size_t, type, TYPE_SIZE) == STEP_SIZE && hw_PyType_GetSlot(type, SLOT_TP_CALL) == AT(void *, type, TYPE_CALL)) {
        hw_Py_IncRef(type);
        step_before = (object(*)(object, object, object))AT(void *, type, TYPE_CALL);
        AT(void *, type, TYPE_CALL) = (void *)on_step;
        step_type = type;
    }
}

static object on_call_soon(object function, object const *args, size_t n, object names)
{
    object handle = hw_entry_of(function)->before(function, args, n, names);
    if (handle == NULL || (n & ~ARGUMENTS_OFFSET) < 2)
        return handle;
    object callback = args[1], type = TYPE_OF(callback);
    if (type != step_type && (type != hw_PyCFunction_Type || AT(struct method *, callback, CFUNCTION_METHOD) != wakeup)) {
        if (LIKELY((step_type != NULL && wakeup != NULL) || type == hw_PyFunction_Type))
            return handle;
        learn(callback);
    }
    if (type == step_type)
        made_ready(AT(object, callback, STEP_TASK), AT(object, callback, STEP_ARGUMENT) == NULL);
    else if (type == hw_PyCFunction_Type && AT(struct method *, callback, CFUNCTION_METHOD) == wakeup)
        made_ready(AT(object, callback, CFUNCTION_SELF), false);
    return handle;
}

bool hw_tasks_of_loop(object loop)
{
    object function = hw_PyObject_GetAttrString(loop, "call_soon");
    bool watched = function != NULL && hw_watch(function, on_call_soon, 0, false);
    if (function == NULL)
        hw_PyErr_Clear();
    hw_drop(function);
    return watched;
}

/* ---- it is thrown away ---- */

/* The last reference is gone, or the collector of cycles has it. Where it still waits asyncio says on stderr that it "was
 * destroyed but it is pending", but not of those that asyncio has made for itself: `_log_destroy_pending`. */
static void on_finalize(object task)
{
    if (hw_in_main()) {
        const struct hw_live *live = hw_unit_find(task);
        hw_out();
        object told = UNLIKELY(live != NULL) && !live->runs ? hw_read(&is_told, task) : NULL;
        if (told == hw__Py_TrueStruct && hw_in_main()) {
            struct hw_live *its = hw_unit_find(task);
            if (its != NULL)
                hw_unit_over(its, hw_now(), HW_UNIT_DROPPED | HW_UNIT_DESTROYED);
            hw_out();
        }
        hw_drop(told);
    }
    finalize_before(task);
}

static void watch_ends(object task)
{
    if (hw_PyType_GetSlot(task, SLOT_TP_FINALIZE) != AT(void *, task, TYPE_FINALIZE) ||
        !hw_reader(task, "_log_destroy_pending", &is_told))
        return;
    finalize_before = (void (*)(object))AT(void *, task, TYPE_FINALIZE);
    if (finalize_before != NULL)
        AT(void *, task, TYPE_FINALIZE) = (void *)on_finalize;
}

/* ---- eager tasks: the first step runs while they are made ---- */

/* A factory of eager tasks makes one: its first step runs meanwhile, inside the step of who makes it. */
static object on_eager(object factory, object const *args, size_t n, object names)
{
    vectorcall *before = hw_entry_of(factory)->before;
    if (!hw_in_main())
        return before(factory, args, n, names);
    struct hw_before outer = TURN->before, mine;
    uint64_t began = hw_now();
    hw_unit_keep(HW_UNIT_KIND_TASK);
    mine = TURN->before;
    hw_out();
    object task = before(factory, args, n, names);
    bool counts = task != NULL && hw_is_task(task) && hw_in_main();
    if (counts) {
        struct hw_live *live = hw_unit_find(task);
        hw_out();
        if (live == NULL)
            /* Subtle: one that has ended already has no coroutine, and 3.12.1 would not survive the question. */
            live = (n & ~ARGUMENTS_OFFSET) > 1 ? begin_unit(task, args[1], began, 0) : NULL;
        if (live != NULL && hw_unit_slot(live)->begun_ns == 0) {
            struct step step = {live, TURN->unit};
            hw_self.busy = true;
            hw_unit_begin_eager(live, began);
            TURN->before = mine;
            hw_out();
            hw_Py_IncRef(task);
            step_ends(task, step, task);
        }
    }
    TURN->before = outer;
    return task;
}

static object on_factory(object function, object const *args, size_t n, object names)
{
    object factory = hw_entry_of(function)->before(function, args, n, names);
    if (factory != NULL && TYPE_OF(factory) == hw_PyFunction_Type)
        hw_watch(factory, on_eager, 0, true);
    return factory;
}

bool hw_tasks_of_asyncio(object base_loop, object task, object eager, object make_eager)
{
    if (task_type != NULL)
        return false;
    bool all = hw_reader(task, "done", &is_done) && hw_reader(task, "cancelled", &is_cancelled) &&
               hw_reader(task, "_exception", &exception) && hw_reader(task, "get_name", &name_of) && hw_await_find(task);
    if (!all || !hw_unit_start())
        return false;
    hw_Py_IncRef(task);
    task_type = task;
    TURN->before.version = 1;
    if (!hw_tasks_of_loop(base_loop))
        return false;
    watch_ends(task);
    if (eager != NULL && make_eager != NULL) { /* from 3.12 on */
        hw_watch(eager, on_eager, 0, true);
        hw_watch(make_eager, on_factory, 0, true);
    }
    return true;
}
