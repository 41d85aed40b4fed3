/* What is used of CPython's own interface. There is no Python.h here: functions are looked up by name, so that one
 * library serves all versions, and objects are opaque. The few layouts below are the same in 3.11 to 3.15, in builds with
 * the GIL (Include/object.h, descrobject.h, methodobject.h; the types of _asyncio: Modules/_asynciomodule.c). */
#ifndef HEADWAY_PYTHON_API_H
#define HEADWAY_PYTHON_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef void *object;

#define PYTHON_FUNCTIONS(X)                                         \
    X(int, Py_IsInitialized, (void))                                \
    X(int, Py_AddPendingCall, (int (*)(void *), void *))            \
    X(void, Py_IncRef, (object))                                    \
    X(void, Py_DecRef, (object))                                    \
    X(object, PyObject_GetAttrString, (object, const char *))       \
    X(object, PyImport_ImportModule, (const char *))                \
    X(object, PyImport_GetModule, (object))                         \
    X(object, PyUnicode_FromString, (const char *))                 \
    X(const char *, PyUnicode_AsUTF8, (object))                     \
    X(object, PyErr_Occurred, (void))                               \
    X(void, PyErr_Clear, (void))                                    \
    X(void *, PyType_GetSlot, (object, int))                        \
    X(int, PyType_IsSubtype, (object, object))                      \
    X(long, PyLong_AsLong, (object))                                \
    X(void *, PyInterpreterState_Get, (void))                       \
    X(object, PyObject_GenericGetAttr, (object, object))            \
    X(object, PyUnicode_InternFromString, (const char *))           \
    X(object, PyTuple_GetItem, (object, ptrdiff_t))                 \
    X(object, PyLong_FromVoidPtr, (void *))                         \
    X(object, PyWeakref_NewRef, (object, object))                   \
    X(object, PyCFunction_NewEx, (struct method *, object, object)) \
    X(ptrdiff_t, PyTuple_Size, (object))                            \
    X(void *, PyCapsule_GetPointer, (object, const char *))         \
    X(object, PyDict_GetItem, (object, object))

struct method { /* PyMethodDef */
    const char *name;
    object (*function)(object, object);
    int flags;
    const char *doc;
};
enum { METH_VARARGS = 1, METH_KEYWORDS = 2, METH_NOARGS = 4, METH_O = 8 };
enum { METH_FASTCALL = 0x82, METH_METHOD = 0x282 }; /* with names */

#define X(type, name, arguments) extern type(*hw_##name) arguments;
PYTHON_FUNCTIONS(X)
#undef X

extern void (*hw_PyFunction_SetVectorcall)(object, void *); /* from 3.12 on, else NULL */

#define PYTHON_TYPES(X) /* object's type of that name in the interpreter */ \
    X(PyCoro_Type) X(PyGen_Type) X(PyAsyncGen_Type) X(_PyAsyncGenASend_Type) X(PyFunction_Type) X(PyCFunction_Type)   \
    X(PyMethodDescr_Type) X(PyGetSetDescr_Type) X(PyMemberDescr_Type) X(_Py_NoneStruct) X(_Py_TrueStruct)     \
    X(PyMethod_Type) X(PyType_Type) X(PyModule_Type)
#define X(name) extern object hw_##name;
PYTHON_TYPES(X)
#undef X

#define AT(type, base, offset) (*(type *)((char *)(base) + (offset)))
#define TYPE_OF(o) AT(object, o, 8)

enum {
    CFUNCTION_METHOD = 16, CFUNCTION_SELF = 24, CFUNCTION_MODULE = 32, /* PyCFunctionObject */
    FUNCTION_CODE = 48, METHOD_FUNCTION = 16,                        /* PyFunctionObject, PyMethodObject */
    DESCR_DEF = 40,                                                  /* PyMethodDescrObject, and its like */
    TYPE_NAME = 24, TYPE_SIZE = 32, TYPE_VECTORCALL = 56, TYPE_CALL = 128, /* PyTypeObject */
    TYPE_DEALLOC = 48, TYPE_DICT = 288,                              /* tp_dictoffset */
    ASEND_GENERATOR = 16,                                            /* PyAsyncGenASend */
    METHOD_SELF = 24,                                                /* PyMethodObject */
    STEP_TASK = 16, STEP_ARGUMENT = 24, STEP_SIZE = 32,              /* TaskStepMethWrapper */
};
enum { SLOT_TP_CALL = 50 };
#define ARGUMENTS_OFFSET ((size_t)1 << 63) /* PY_VECTORCALL_ARGUMENTS_OFFSET */

/* A way to read an attribute that is in C, without asking for it by name: 5 ns in place of 50. */
struct reader {
    object (*get)(object, void *);
    void *closure;
    ptrdiff_t offset; /* where there is no function; 0: neither */
};
bool hw_reader(object type, const char *name, struct reader *reader);
object hw_read(const struct reader *reader, object of); /* a new reference, or NULL without an error */
void hw_drop(object o);

/* await.c: where a task stands */
bool hw_await_find(object task);
bool hw_is_task(object o);
object hw_coroutine_of(object task);                              /* a new reference, or NULL */
uint32_t hw_code_of(object coroutine);                            /* frame + 1 of its first line, or 0 */
uint32_t hw_wait_of(object task, uint32_t *on, uint32_t *stack);  /* HW_OTHER: for nothing, it only gave way */
uint32_t hw_stack_of_task(object task);                           /* index + 1, or 0 */

/* called.c: what a job calls */
uint32_t hw_called(object callable);                              /* frame + 1 of its first line, or of its name; or 0 */

/* job.c */
bool hw_jobs_of_queues(object simple_queue);

/* entry.c: functions whose C entry is ours. `word`: what is kept with it */
typedef object vectorcall(object, object const *, size_t, object);
struct entry {
    object function;
    vectorcall *before;
    uint32_t word;
};
/* `compiled`: also where the interpreter has compiled calls to it that go past its entry, which cost more from then on. */
bool hw_watch(object function, vectorcall *ours, uint32_t word, bool compiled);
const struct entry *hw_entry_of(object function);

/* switch.c and gevent.c: these modules have been imported */
bool hw_greenlets_of(object module);                /* greenlet._greenlet */
void hw_gevent_of(object module, const char *name); /* one of gevent's that are in C */

/* task.c */
bool hw_tasks_of_asyncio(object base_loop, object task, object eager_factory, object make_eager_factory);
bool hw_tasks_of_loop(object loop);

#endif
