/* Switches of greenlets, seen in C behind `greenlet.switch` and `throw`, and behind the C interface by which compiled
 * libraries do the same.
 *
 * A call of these does not return until its greenlet is switched to again. So there are two moments: before the real call
 * a greenlet gives way, and when that returns it has its thread back. What happens in between is told by the others: one
 * that has not begun yet begins at once, and who was last known to run when another comes back has ended. Only where a
 * greenlet is freed that has not ended, no call is made; so the type's own function for that is looked at, too.
 *
 * Nothing of greenlet's own tracing (`settrace`) is used: that is the program's. No reference is kept.
 *
 * Source: greenlet 1.0 to 3.5, PyGreenlet.cpp, TGreenlet.cpp, TUserGreenlet.cpp, greenlet.h.
 */
#define _GNU_SOURCE
#include <string.h>

#include "greenlet.h"

enum { API_EXIT = 2, API_THROW = 5, API_SWITCH = 6 };
enum { SHORT_STEPS = 3 }; /* its name is asked for after so many steps, and after long ones */

static object greenlet_exit;
static struct method *switch_method;
static object (*method_switch)(object, object, object), (*api_switch)(object, object, object);
static object (*method_throw)(object, object), (*api_throw)(object, object, object, object);
static void (*dealloc_before)(object);

object hw_greenlet_of_switch(object callback)
{
    bool is = TYPE_OF(callback) == hw_PyCFunction_Type && AT(struct method *, callback, CFUNCTION_METHOD) == switch_method;
    return is ? AT(object, callback, CFUNCTION_SELF) : NULL;
}

/* What one that gave way needs to know when it comes back. It lies in its own part of the stack. */
struct away {
    object me;                /* NULL: not told */
    struct hw_live *live;
    uint32_t index;
    uint32_t task, wait;      /* as on its thread when it left */
    const void *wait_on;
};

static struct away leave(object target)
{
    struct away away = {.me = NULL};
    object me = hw_greenlets_here() ? hw_greenlet_now() : NULL;
    if (me == NULL)
        return away;
    uint64_t now = hw_now();
    struct hw_live *live = hw_greenlet_settle(me, now);
    if (live == NULL)
        return away;
    bool to_hub = hw_is_hub(target), is_long = now - live->since_ns >= HW_LONG_STEP_NS;
    struct hw_live *next = to_hub || hw_greenlet_began(target) ? NULL : hw_greenlet_unit(target, now, false);
    const struct hw_unit *slot = hw_unit_slot(live);
    if (slot->name == 0 && (slot->steps <= SHORT_STEPS || is_long))
        hw_greenlet_name(me, live);
    away = (struct away){me, live, live->index, hw_self.turns[HW_UNIT_KIND_TASK].unit, hw_self.wait, hw_self.wait_on};

    hw_self.busy = true;
    uint32_t known = hw_self.wait != 0 ? hw_self.wait : hw_self.watch;
    uint32_t wait = to_hub && known != 0 ? known : HW_OTHER, stack = 0;
    if (live->hub)
        live->ready_ns = now; /* it goes on when the other gives way */
    else if (live->ready_ns == 0 || is_long)
        stack = hw_stack(HW_DEPTH);
    if (stack != 0 && to_hub) {
        const struct hw_stack *where = hw_entry(HW_SECTION_STACKS, stack - 1);
        wait = where->named & 1 ? where->kind : wait;
    }
    const struct hw_live *on = wait == HW_JOIN && hw_self.wait_on != NULL ? hw_unit_find(hw_self.wait_on) : NULL;
    live->awaits = to_hub ? hw_self.wait_on : NULL;
    live->looped = to_hub;
    live->flags = 0;
    hw_unit_end(live, now, wait, on != NULL ? on->index : HW_NOBODY, stack);
    TURN->unit = 0;
    hw_self.left_ns = now;
    hw_self.wait = hw_self.watch = 0;
    hw_self.wait_on = NULL;
    if (next != NULL)
        hw_unit_begin(next, now);
    hw_out();
    return away;
}

/* It waited for its hub: when was it told that it may go on? */
static uint64_t ready_since(const struct hw_live *live)
{
    uint64_t at = live->awaits != NULL ? hw_gevent_notified(live->awaits) : 0;
    bool from_outside = live->wait == HW_SLEEP || live->wait == HW_IO || live->wait == HW_PROCESS;
    return at == 0 && from_outside ? hw_self.poll_end_ns : at;
}

static void come_back(const struct away *away, object result)
{
    if (away->me == NULL || hw_in() == NULL) /* it has left in the main interpreter */
        return;
    struct hw_live *live = away->live, *last = hw_unit_running(HW_UNIT_KIND_GREENLET);
    hw_self.turns[HW_UNIT_KIND_TASK].unit = away->task;
    hw_self.wait = away->wait;
    hw_self.wait_on = away->wait_on;
    if (UNLIKELY(live->key != away->me || live->index != away->index)) { /* as in a forked child */
        hw_out();
        hw_greenlet_settle(away->me, hw_now());
        return;
    }
    uint64_t at = hw_self.left_ns;
    if (last == live) { /* it is there already */
        hw_out();
        return;
    }
    if (last != NULL) {
        at = hw_now();
        bool killed = result != NULL && greenlet_exit != NULL && TYPE_OF(result) == greenlet_exit;
        last->looped = live->hub;
        uint32_t flags = last->flags | (result == NULL ? HW_UNIT_FAILED : 0) | (killed ? HW_UNIT_CANCELLED : 0);
        hw_unit_end(last, at, HW_NONE, HW_NOBODY, 0);
        hw_unit_over(last, at, flags);
        TURN->unit = 0;
    }
    hw_self.left_ns = 0;
    if (at < live->since_ns)
        at = live->since_ns;
    if (live->looped && !live->hub) {
        uint64_t ready = live->ready_ns == 0 ? ready_since(live) : 0;
        if (ready > live->since_ns)
            hw_unit_ready(live, ready < at ? ready : at);
        else if (live->ready_ns == 0)
            live->waited_ns = at - live->since_ns;
        if (live->waited_ns >= hw.stack_threshold_ns)
            hw_unit_waited(live);
    }
    hw_unit_begin(live, at);
    hw_out();
}

static object on_switch(object self, object args, object names)
{
    struct away away = leave(self);
    object result = method_switch(self, args, names);
    come_back(&away, result);
    return result;
}

static object on_api_switch(object self, object args, object names)
{
    struct away away = leave(self);
    object result = api_switch(self, args, names);
    come_back(&away, result);
    return result;
}

/* An exception is thrown into it: if it ends of GreenletExit, it was killed. */
static void thrown(object self, object exception)
{
    if (exception != NULL && exception != greenlet_exit && TYPE_OF(exception) != greenlet_exit)
        return;
    if (hw_in_main()) {
        struct hw_live *live = hw_unit_find(self);
        if (live != NULL)
            live->flags = HW_UNIT_CANCELLED;
        hw_out();
    }
}

static object on_throw(object self, object args)
{
    object exception = hw_PyTuple_Size(args) > 0 ? hw_PyTuple_GetItem(args, 0) : NULL;
    thrown(self, exception);
    struct away away = leave(self);
    object result = method_throw(self, args);
    come_back(&away, result);
    return result;
}

static object on_api_throw(object self, object type, object value, object traceback)
{
    thrown(self, type);
    struct away away = leave(self);
    object result = api_throw(self, type, value, traceback);
    come_back(&away, result);
    return result;
}

/* ---- its end without a switch ---- */

/* Nobody refers to it any more. One that has begun is switched to, so that it ends of GreenletExit: on this thread if it is
 * its own, else later. */
static void on_dealloc(object self)
{
    struct hw_live *live = NULL;
    bool begun = false, here = false;
    if (hw_in_main()) {
        live = hw_unit_find(self);
        if (UNLIKELY(live != NULL)) {
            begun = live->begun && !live->runs;
            here = live->carrier == hw_self.index;
            if (begun && !here)
                begun = LOAD(&((const struct hw_thread *)hw_entry(HW_SECTION_THREADS, live->carrier))->end_ns) == 0;
        }
        hw_out();
    }
    if (LIKELY(live == NULL)) {
        dealloc_before(self);
        return;
    }
    struct away away = {.me = NULL};
    begun = begun && hw_greenlet_lives(self);
    uint32_t index = live->index;
    if (begun && here) {
        live->flags = HW_UNIT_DROPPED;
        away = leave(self);
    }
    dealloc_before(self);
    come_back(&away, hw__Py_NoneStruct);
    if ((here || !begun) && hw_in_main()) {
        if (live->key == self && live->index == index)
            hw_unit_over(live, hw_now(), HW_UNIT_DROPPED);
        hw_out();
    }
}

/* ---- at its import ---- */

/* `api`: its C interface, as greenlet.h numbers it. */
static bool watch(object type, void **api)
{
    struct method *switches = hw_method_of(type, "switch", METH_VARARGS | METH_KEYWORDS);
    struct method *throws = hw_method_of(type, "throw", METH_VARARGS);
    if (switches == NULL || throws == NULL || !api[API_EXIT] || !api[API_THROW] || !api[API_SWITCH])
        return false;
    greenlet_exit = api[API_EXIT];
    switch_method = switches;
    *(void **)&method_switch = (void *)switches->function;
    *(void **)&switches->function = (void *)on_switch;
    method_throw = throws->function;
    throws->function = on_throw;
    *(void **)&api_throw = api[API_THROW];
    *(void **)&api_switch = api[API_SWITCH];
    *(void **)&api[API_THROW] = (void *)on_api_throw;
    *(void **)&api[API_SWITCH] = (void *)on_api_switch;
    dealloc_before = (void (*)(object))AT(void *, type, TYPE_DEALLOC);
    AT(void *, type, TYPE_DEALLOC) = (void *)on_dealloc;
    return true;
}

bool hw_greenlets_of(object module)
{
    object type = switch_method == NULL ? hw_PyObject_GetAttrString(module, "greenlet") : NULL;
    object capsule = type != NULL ? hw_PyObject_GetAttrString(module, "_C_API") : NULL;
    void **api = capsule != NULL ? hw_PyCapsule_GetPointer(capsule, "greenlet._C_API") : NULL;
    if (hw_PyErr_Occurred() != NULL)
        hw_PyErr_Clear();
    bool watched = api != NULL && hw_unit_start() && hw_greenlet_find(type, api) && watch(type, api);
    hw_drop(capsule);
    if (!watched)
        hw_drop(type); /* else it is kept, as its module does */
    return watched;
}
