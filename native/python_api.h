/* What is used of CPython's own interface. There is no Python.h here: functions are looked up by name, so that one
 * library serves all versions, and objects are opaque. The few layouts below are the same in 3.11 to 3.15, in builds with
 * the GIL (Include/object.h, descrobject.h, methodobject.h; the types of _asyncio: Modules/_asynciomodule.c). */
#ifndef HEADWAY_PYTHON_API_H
#define HEADWAY_PYTHON_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tracer.h"

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
enum { METH_FASTCALL = 0x82, METH_METHOD = 0x282, /* with names */ METH_FAST_PLAIN = 0x80 };

#define X(type, name, arguments) extern type(*hw_##name) arguments;
PYTHON_FUNCTIONS(X)
#undef X

extern void (*hw_PyFunction_SetVectorcall)(object, void *); /* from 3.12 on, else NULL */

#define PYTHON_TYPES(X) /* object's type of that name in the interpreter */ \
    X(PyCoro_Type) X(PyGen_Type) X(PyAsyncGen_Type) X(_PyAsyncGenASend_Type) X(PyFunction_Type) X(PyCFunction_Type)   \
    X(PyMethodDescr_Type) X(PyGetSetDescr_Type) X(PyMemberDescr_Type) X(_Py_NoneStruct) X(_Py_TrueStruct)     \
    X(PyMethod_Type) X(PyType_Type) X(PyModule_Type) X(PyBytes_Type) X(PyTuple_Type) \
    X(PyLong_Type) X(PyUnicode_Type) X(PyDict_Type) X(PyList_Type) X(_Py_FalseStruct)
#define X(name) extern object hw_##name;
PYTHON_TYPES(X)
#undef X

#define AT(type, base, offset) (*(type *)((char *)(base) + (offset)))
#define TYPE_OF(o) AT(object, o, 8)

enum {
    CFUNCTION_METHOD = 16, CFUNCTION_SELF = 24, CFUNCTION_MODULE = 32, /* PyCFunctionObject */
    FUNCTION_CODE = 48, METHOD_FUNCTION = 16,                        /* PyFunctionObject, PyMethodObject */
    DESCR_DEF = 40,                                                  /* PyMethodDescrObject, and its like */
    TYPE_NAME = 24, TYPE_SIZE = 32, TYPE_VECTORCALL = 56, TYPE_CALL = 128, TYPE_FINALIZE = 392, /* PyTypeObject */
    TYPE_DEALLOC = 48, TYPE_DICT = 288,                              /* tp_dictoffset */
    ASEND_GENERATOR = 16,                                            /* PyAsyncGenASend */
    METHOD_SELF = 24,                                                /* PyMethodObject */
    VAR_SIZE = 16, BYTES_DATA = 32,                                  /* PyVarObject, PyBytesObject */
    STEP_TASK = 16, STEP_ARGUMENT = 24, STEP_SIZE = 32,              /* TaskStepMethWrapper */
};
enum { SLOT_TP_CALL = 50, SLOT_TP_FINALIZE = 80 };
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
struct function {
    const char *name; /* the qualified one */
    const void *code; /* kept when it was seen first */
};
uint32_t hw_called(object callable);                              /* frame + 1 of its first line, or of its name; or 0 */
object hw_mapped(object callable, const char *file, struct function *function); /* of a partial of it the argument */

/* job.c */
bool hw_jobs_of_queues(object simple_queue);

/* object.c: objects and code of libraries */
struct class {
    const char *name;
    object type;      /* kept when it was seen first */
};
object hw_attribute(object of, object word); /* without running code of the program, whatever its class overrides */
long hw_long(object o);                      /* a number; -1: it is none */
long hw_number(object of, object word);      /* an attribute that is a number; -1: there is none */
uint32_t hw_size(object of, object word);    /* an attribute that is how many workers; 0: there is none */
bool hw_word(object *word, const char *text);
bool hw_code_is(const void *code, const char *file, const char *name);
bool hw_is_code(const void *code, const char *file, struct function *function); /* is looked at once, and kept */
bool hw_type_is(object type, const char *name, const char *module);
bool hw_class_is(object type, struct class *class, const char *module);
struct method *hw_method_of(object type_or_module, const char *name, int flags);
/* The pipe of a queue of multiprocessing: its inode number; 0: it has been closed here, or is none. */
uint32_t hw_pipe_of(object queue);
object hw_watch_queue(object queue);         /* a reference to be kept: when it is freed, so is its pool; or NULL */

/* away.c: jobs that run in another process. `pool`: + 1. `space`: jobs of one have different numbers */
struct hw_given {    /* what has parts that are submitted one by one: who gave it, when and where */
    uint32_t pool, runs;
    struct hw_place from;
    bool lazily;     /* each part is submitted when it is taken; else all are when it is given */
    uint64_t job, at_ns;
};
void hw_given_now(struct hw_given *given); /* inside the tracer */
uint32_t hw_away_pool(object queue, enum hw_pool_kind kind, const char *type, uint32_t size, uint32_t pipe);
void hw_away_submitted(uint32_t space, uint32_t pool, uint64_t number, uint32_t runs, uint32_t size,
                       const struct hw_given *given);
void hw_away_over(uint32_t space, uint64_t number, bool ran, uint32_t flags);
void hw_away_erase(uint32_t space, uint64_t number); /* it was not: another is in its place */
void hw_away_sent(uint32_t pool, uint64_t number, uint32_t flags); /* those before it that were not sent have ended so */
uint32_t hw_away_known(object queue); /* its pool, or 0 */
uint32_t hw_away_seat(object queue);  /* of a worker: the pool that its jobs come from, or 0 */
void hw_away_begins(uint32_t pool, uint64_t number, uint32_t runs, object queue);
bool hw_away_ends(uint64_t number, uint32_t flags);

/* own_pool.c */
void hw_jobs_of_headway(object sys);

/* pickle.c, process_pool.c and multiprocessing_pool.c */
struct packing {
    bool job;        /* a job is packed: that of the number in the space */
    uint32_t space;
    uint64_t number;
};
struct packing hw_multiprocessing_pool_packs(object tuple);
void hw_multiprocessing_pool_unpacked(object tuple);
void hw_multiprocessing_pool_given(object queue, object tuple);
bool hw_jobs_of_pickles(object pickle, object posix);
struct packing hw_process_pool_packs(object o);
void hw_process_pool_unpacked(object o);
void hw_process_pool_woken(void);

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
