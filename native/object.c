/* Objects and code of libraries: told by their names, and read without running code of the program.
 *
 * Whoever calls has the GIL, and is outside the tracer.
 */
#define _GNU_SOURCE
#include <string.h>
#include <sys/stat.h>

#include "python_api.h"
#include "tracer.h"

object hw_attribute(object of, object word)
{
    object found = hw_PyObject_GenericGetAttr(of, word);
    if (found == NULL)
        hw_PyErr_Clear();
    return found;
}

long hw_long(object o)
{
    long value = o != NULL ? hw_PyLong_AsLong(o) : -1;
    if (hw_PyErr_Occurred() != NULL)
        hw_PyErr_Clear();
    return value;
}

long hw_number(object of, object word)
{
    object found = hw_attribute(of, word);
    long value = hw_long(found);
    hw_drop(found);
    return value;
}

uint32_t hw_size(object of, object word)
{
    long size = hw_number(of, word);
    return size > 0 && size < INT32_MAX ? (uint32_t)size : 0;
}

bool hw_word(object *word, const char *text)
{
    if (*word == NULL)
        *word = hw_PyUnicode_InternFromString(text);
    if (*word == NULL)
        hw_PyErr_Clear();
    return *word != NULL;
}

bool hw_code_is(const void *code, const char *file, const char *name)
{
    char text[1536];
    size_t name_at, n, k = strlen(file);
    if (code == NULL || name == NULL)
        return false;
    hw_frame_text(code, text, sizeof text, &name_at);
    n = name_at - 1;
    return strcmp(text + name_at, name) == 0 && n >= k && strcmp(text + n - k, file) == 0;
}

bool hw_is_code(const void *code, const char *file, struct function *function)
{
    if (LIKELY(code == function->code && code != NULL))
        return true;
    if (function->code != NULL || !hw_code_is(code, file, function->name))
        return false;
    hw_Py_IncRef((object)code);
    function->code = code;
    return true;
}

bool hw_type_is(object type, const char *name, const char *module)
{
    if (strcmp(AT(const char *, type, TYPE_NAME), name) != 0 || !hw_in_main())
        return false;
    hw_out();
    object its = hw_PyObject_GetAttrString(type, "__module__");
    const char *text = its != NULL ? hw_PyUnicode_AsUTF8(its) : NULL;
    bool is = text != NULL && strcmp(text, module) == 0;
    if (hw_PyErr_Occurred() != NULL)
        hw_PyErr_Clear();
    hw_drop(its);
    return is;
}

bool hw_class_is(object type, struct class *class, const char *module)
{
    if (LIKELY(type == class->type))
        return true;
    if (class->type != NULL || !hw_type_is(type, class->name, module))
        return false;
    hw_Py_IncRef(type);
    class->type = type;
    return true;
}

struct method *hw_method_of(object type, const char *name, int flags)
{
    object descriptor = hw_PyObject_GetAttrString(type, name);
    struct method *method = NULL;
    if (descriptor == NULL)
        hw_PyErr_Clear();
    else if (TYPE_OF(descriptor) == hw_PyMethodDescr_Type)
        method = AT(struct method *, descriptor, DESCR_DEF);
    else if (TYPE_OF(descriptor) == hw_PyCFunction_Type)
        method = AT(struct method *, descriptor, CFUNCTION_METHOD);
    hw_drop(descriptor);
    return method != NULL && strcmp(method->name, name) == 0 && method->flags == flags ? method : NULL;
}

uint32_t hw_pipe_of(object queue)
{
    static object reader_word, handle_word;
    struct stat st;
    bool words = hw_word(&reader_word, "_reader") && hw_word(&handle_word, "_handle");
    object reader = words ? hw_attribute(queue, reader_word) : NULL;
    long fd = reader != NULL ? hw_number(reader, handle_word) : -1;
    hw_drop(reader);
    int saved = errno;
    bool known = fd >= 0 && fd <= INT32_MAX && fstat((int)fd, &st) == 0 && st.st_ino <= UINT32_MAX;
    errno = saved;
    return known ? (uint32_t)st.st_ino : 0;
}

/* A queue is freed: another may come at its address. `key`: the address, as a number. */
static object on_gone(object key, object reference)
{
    const void *queue = (const void *)(uintptr_t)hw_PyLong_AsLong(key);
    if (hw_in_main()) {
        hw_pool_gone(queue, hw_now());
        hw_out();
    }
    hw_Py_DecRef(reference); /* the one that was kept for this call */
    hw_Py_IncRef(hw__Py_NoneStruct);
    return hw__Py_NoneStruct;
}

object hw_watch_queue(object queue)
{
    static struct method gone = {"headway", on_gone, METH_O, NULL};
    object key = hw_PyLong_FromVoidPtr(queue);
    object call = key != NULL ? hw_PyCFunction_NewEx(&gone, key, NULL) : NULL;
    object reference = call != NULL ? hw_PyWeakref_NewRef(queue, call) : NULL;
    if (reference == NULL)
        hw_PyErr_Clear();
    hw_drop(key);
    hw_drop(call);
    return reference;
}
