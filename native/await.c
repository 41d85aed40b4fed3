/* Where a task stands, and what it waits for: its coroutines, from the outermost to the one that waits.
 *
 * All of these are called with the GIL, outside the tracer. They run no code of the program: an attribute is read by the
 * function in C that is behind it, or is one of a frame.
 */
#define _GNU_SOURCE
#include <string.h>

#include "python_api.h"
#include "tracer.h"

static object task_type;
static struct {
    struct reader fut_waiter, coro, await, code, frame, gen_yieldfrom, agen_await;
} its;
static size_t frame_at; /* in a coroutine; the same in a generator */

bool hw_await_find(object task)
{
    task_type = task;
    return hw_reader(task, "_fut_waiter", &its.fut_waiter) && hw_reader(task, "get_coro", &its.coro) &&
           hw_reader(hw_PyCoro_Type, "cr_await", &its.await) && hw_reader(hw_PyCoro_Type, "cr_code", &its.code) &&
           hw_reader(hw_PyCoro_Type, "cr_frame", &its.frame) &&
           hw_reader(hw_PyGen_Type, "gi_yieldfrom", &its.gen_yieldfrom) &&
           hw_reader(hw_PyAsyncGen_Type, "ag_await", &its.agen_await);
}

object hw_coroutine_of(object task)
{
    return hw_read(&its.coro, task);
}

bool hw_is_task(object o)
{
    object type = TYPE_OF(o);
    return type == task_type || (type != hw_PyFunction_Type && hw_PyType_IsSubtype(type, task_type));
}

/* The reader of what an awaitable awaits. */
static const struct reader *inner(object o)
{
    object type = TYPE_OF(o);
    const struct reader *its_own = type == hw_PyGen_Type ? &its.gen_yieldfrom : type == hw_PyAsyncGen_Type ? &its.agen_await : NULL;
    return type == hw_PyCoro_Type ? &its.await : its_own;
}

/* One step of an asynchronous generator hides the generator. */
static object unwrapped(object o)
{
    object generator = o != NULL && TYPE_OF(o) == hw__PyAsyncGenASend_Type ? AT(object, o, ASEND_GENERATOR) : NULL;
    return generator != NULL && TYPE_OF(generator) == hw_PyAsyncGen_Type ? generator : o;
}

static object borrowed(object o)
{
    hw_drop(o); /* who awaits it has it, too, and does not run */
    return o;
}

/* The first coroutine shows where they have their frames: one that waits has an instruction that is not the first. */
static void find_frame(object coroutine)
{
    object code = hw_read(&its.code, coroutine), frame = hw_read(&its.frame, coroutine);
    object lasti = frame != NULL && frame != hw__Py_NoneStruct ? hw_PyObject_GetAttrString(frame, "f_lasti") : NULL;
    if (code != NULL && lasti != NULL)
        frame_at = hw_frame_inside(coroutine, AT(size_t, TYPE_OF(coroutine), TYPE_SIZE), code, hw_PyLong_AsLong(lasti));
    if (hw_PyErr_Occurred() != NULL)
        hw_PyErr_Clear();
    hw_drop(lasti);
    hw_drop(frame);
    hw_drop(code);
}

uint32_t hw_stack_of_task(object task)
{
    struct hw_walked walked;
    const void *frames[HW_DEPTH];
    uint32_t depth = 0;
    object at = borrowed(hw_read(&its.coro, task));
    if (UNLIKELY(frame_at == 0) && at != NULL && TYPE_OF(at) == hw_PyCoro_Type)
        find_frame(at);
    while (frame_at != 0 && at != NULL && inner(at) != NULL && depth < HW_DEPTH) {
        frames[depth++] = (const char *)at + frame_at;
        at = unwrapped(borrowed(hw_read(inner(at), at)));
    }
    walked.hash = 1; /* of threads it begins with 0 */
    walked.depth = 0;
    walked.cut = depth == HW_DEPTH;
    walked.of_coroutines = true;
    while (depth-- > 0)
        hw_walk_frame(&walked, frames[depth]);
    hw_self.busy = true;
    uint32_t found = hw_stack_of(&walked);
    hw_out();
    return found;
}

uint32_t hw_code_of(object coroutine)
{
    object code = coroutine != NULL && TYPE_OF(coroutine) == hw_PyCoro_Type ? hw_read(&its.code, coroutine) : NULL;
    if (code == NULL)
        return 0;
    hw_self.busy = true;
    uint32_t found = hw_code(code);
    hw_out();
    hw_Py_DecRef(code);
    return found;
}

uint32_t hw_wait_of(object task, uint32_t *on, uint32_t *stack)
{
    object future = borrowed(hw_read(&its.fut_waiter, task));
    *on = HW_NOBODY;
    *stack = 0;
    if (future == NULL || future == hw__Py_NoneStruct)
        return HW_OTHER;
    *stack = hw_stack_of_task(task);
    uint32_t kind = HW_FUTURE;
    hw_self.busy = true;
    if (*stack != 0)
        kind = ((const struct hw_stack *)hw_entry(HW_SECTION_STACKS, *stack - 1))->kind;
    if (hw_is_task(future)) {
        const struct hw_live *other = hw_unit_find(future);
        *on = other != NULL ? other->index : HW_NOBODY;
        kind = kind == HW_FUTURE ? HW_JOIN : kind;
    } else if (kind == HW_FUTURE && strcmp(AT(const char *, TYPE_OF(future), TYPE_NAME), "_GatheringFuture") == 0) {
        kind = HW_JOIN;
    }
    hw_out();
    return kind;
}
