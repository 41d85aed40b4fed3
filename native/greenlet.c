/* Units for greenlets: which there are, what they run, and which of them has its thread.
 *
 * Source: greenlet 1.0 to 3.5, greenlet.h; gevent 1.3 to 26, greenlet.py.
 */
#define _GNU_SOURCE
#include <string.h>

#include "greenlet.h"

enum { API_CURRENT = 4, API_MAIN = 8, API_STARTED = 9, API_ACTIVE = 10 };

static object greenlet_type, word_run, word_name, word_target, word_thread_name;
static object (*current)(void);
static int (*is_main)(object), (*is_started)(object), (*is_active)(object);
static struct reader run;
static size_t dict_at; /* in a greenlet */

bool hw_greenlets_found(void)
{
    return greenlet_type != NULL;
}

bool hw_is_greenlet(object o)
{
    return hw_PyType_IsSubtype(TYPE_OF(o), greenlet_type);
}

bool hw_greenlet_began(object greenlet)
{
    return is_started(greenlet) != 0;
}

bool hw_greenlet_lives(object greenlet)
{
    return is_active(greenlet) == 1 && is_main(greenlet) == 0;
}

/* One of its own attributes, borrowed; NULL if it was not set. */
static object own(object greenlet, object word)
{
    object dict = dict_at != 0 ? AT(object, greenlet, dict_at) : NULL;
    return dict != NULL ? hw_PyDict_GetItem(dict, word) : NULL;
}

static void take_name(object name, struct hw_live *live)
{
    const char *text = hw_PyUnicode_AsUTF8(name);
    if (text == NULL) {
        hw_PyErr_Clear();
        return;
    }
    hw_self.busy = true;
    hw_unit_named(live, text);
    hw_out();
}

void hw_greenlet_name(object greenlet, struct hw_live *live)
{
    object name = own(greenlet, word_name);
    if (name != NULL)
        take_name(name, live);
}

/* An attribute of a Thread, by the generic lookup, which runs no code of the program: a new reference, or NULL. */
static object of_thread(object thread, object word)
{
    object found = thread != NULL ? hw_PyObject_GenericGetAttr(thread, word) : NULL;
    if (thread != NULL && found == NULL)
        hw_PyErr_Clear();
    return found;
}

/* A Thread of `threading`, where gevent has put greenlets in the place of threads; borrowed from its method. */
static object thread_behind(object called, uint32_t code)
{
    const struct hw_frame *frame = code != 0 ? hw_entry(HW_SECTION_FRAMES, code - 1) : NULL;
    bool is = frame != NULL && TYPE_OF(called) == hw_PyMethod_Type &&
              strcmp(hw_entry(HW_SECTION_TEXT, frame->name), "Thread._bootstrap") == 0;
    return is ? AT(object, called, METHOD_SELF) : NULL;
}

/* What it calls. gevent's have it in `_run`, a subclass's in the class. `thread`: borrowed, or NULL. */
static uint32_t runs(object greenlet, object *thread)
{
    object called = own(greenlet, word_run), type = TYPE_OF(greenlet);
    if (called != NULL) {
        uint32_t code = hw_called(called);
        object target = of_thread(*thread = thread_behind(called, code), word_target);
        if (target != NULL && target != hw__Py_NoneStruct)
            code = hw_called(target);
        hw_drop(target);
        return code;
    }
    called = hw_read(&run, greenlet);
    if (called == NULL) {
        called = hw_PyObject_GetAttrString(type, "_run");
        if (called == NULL) {
            hw_PyErr_Clear();
            called = hw_PyObject_GetAttrString(type, "run");
        }
        if (called == NULL)
            hw_PyErr_Clear();
    }
    uint32_t code = called != NULL && TYPE_OF(called) != hw_PyGetSetDescr_Type ? hw_called(called) : 0;
    hw_drop(called);
    return code;
}

static struct hw_live *make(object greenlet, uint64_t now, bool begun)
{
    bool main = is_main(greenlet) == 1, hub = !main && hw_is_hub(greenlet);
    object thread = NULL;
    uint32_t code = main || begun ? 0 : runs(greenlet, &thread);
    hw_self.busy = true;
    struct hw_live *live = hw_unit_new(greenlet, HW_UNIT_KIND_GREENLET, code, HW_NOBODY, now);
    if (live != NULL) {
        live->hub = hub;
        if (!(hw_unit_slot(live)->flags & HW_UNIT_MANY))
            hw_unit_slot(live)->flags |= main ? HW_UNIT_MAIN : hub ? HW_UNIT_HUB : begun ? HW_UNIT_LATE : 0;
        if (main || hub)
            hw_unit_named(live, main ? "main" : "hub");
    }
    hw_out();
    if (live != NULL && !main && !hub) {
        hw_greenlet_name(greenlet, live);
        object name = of_thread(thread, word_thread_name);
        if (name != NULL)
            take_name(name, live);
        hw_drop(name);
    }
    return live;
}

/* Is that entry of one that was freed, and whose place another has now? */
static bool is_stale(const struct hw_live *live, object greenlet)
{
    return live != NULL && live->begun && is_started(greenlet) == 0;
}

struct hw_live *hw_greenlet_unit(object greenlet, uint64_t now, bool begun)
{
    struct hw_live *live = hw_unit_find(greenlet);
    if (UNLIKELY(!begun && is_stale(live, greenlet))) {
        hw_self.busy = true;
        hw_unit_over(live, now, HW_UNIT_DROPPED);
        hw_out();
        live = NULL;
    }
    return live != NULL ? live : make(greenlet, now, begun);
}

struct hw_live *hw_greenlet_settle(object me, uint64_t now)
{
    struct hw_live *thought = hw_unit_running(HW_UNIT_KIND_GREENLET);
    if (LIKELY(thought != NULL && thought->key == me))
        return thought;
    uint64_t at = thought == NULL && hw_self.left_ns != 0 ? hw_self.left_ns : now;
    struct hw_live *live = hw_greenlet_unit(me, at, true);
    hw_self.busy = true;
    if (thought != NULL && thought->runs) { /* it ended, and a greenlet that had not begun was its parent */
        hw_unit_end(thought, now, HW_NONE, HW_NOBODY, 0);
        hw_unit_over(thought, now, thought->flags);
    }
    TURN->unit = 0;
    if (live != NULL)
        hw_unit_begin(live, at > live->since_ns ? at : live->since_ns);
    hw_out();
    return live;
}

bool hw_greenlets_here(void)
{
    bool here = hw_in_main();
    if (here)
        hw_out();
    return here;
}

object hw_greenlet_now(void)
{
    const struct hw_live *thought = hw_unit_running(HW_UNIT_KIND_GREENLET);
    if (thought != NULL && thought->hub) /* when it ends, its parent comes back, or nobody */
        return (object)(uintptr_t)thought->key;
    bool error = hw_PyErr_Occurred() != NULL;
    object me = current();
    if (UNLIKELY(me == NULL)) {
        if (!error)
            hw_PyErr_Clear();
        return NULL;
    }
    hw_Py_DecRef(me);
    return me;
}

void hw_greenlet_ready(object greenlet, bool from_here)
{
    bool began = hw_greenlet_began(greenlet);
    object me = from_here && hw_greenlets_here() ? hw_greenlet_now() : NULL;
    uint64_t now = hw_now();
    if ((began && is_active(greenlet) == 0) || (from_here && (me == NULL || hw_greenlet_settle(me, now) == NULL)))
        return;
    struct hw_live *live = hw_greenlet_unit(greenlet, now, began);
    if (live != NULL && hw_in_main()) {
        hw_unit_ready(live, now);
        hw_out();
    }
}

void hw_greenlet_gives_way(void)
{
    if (!hw_in_main())
        return;
    struct hw_live *live = hw_unit_running(HW_UNIT_KIND_GREENLET);
    if (live != NULL && !live->hub)
        hw_unit_ready(live, hw_now());
    hw_out();
}

void hw_greenlet_failed(object greenlet)
{
    if (!hw_is_greenlet(greenlet) || !hw_in_main())
        return;
    struct hw_live *live = hw_unit_find(greenlet);
    if (live != NULL)
        live->flags |= HW_UNIT_FAILED;
    hw_out();
}

/* `api`: its C interface, as greenlet.h numbers it. */
bool hw_greenlet_find(object type, void **api)
{
    word_run = hw_PyUnicode_InternFromString("_run");
    word_name = hw_PyUnicode_InternFromString("name");
    word_target = hw_PyUnicode_InternFromString("_target");
    word_thread_name = hw_PyUnicode_InternFromString("_name");
    *(void **)&current = api[API_CURRENT];
    *(void **)&is_main = api[API_MAIN];
    *(void **)&is_started = api[API_STARTED];
    *(void **)&is_active = api[API_ACTIVE];
    if (word_run == NULL || word_name == NULL || word_target == NULL || word_thread_name == NULL || !current || !is_main || !is_started || !is_active ||
        !hw_reader(type, "run", &run))
        return false;
    greenlet_type = type;
    dict_at = AT(size_t, type, TYPE_DICT);
    dict_at = dict_at < AT(size_t, type, TYPE_SIZE) ? dict_at : 0;
    return true;
}
