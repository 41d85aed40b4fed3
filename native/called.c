/* What a job calls: the function behind methods, partials and copies of a context, or a name where there is none.
 *
 * Called with the GIL, outside the tracer. It runs no code of the program: it reads fields of objects in C.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>

#include "python_api.h"
#include "tracer.h"

static struct {
    object type;
    struct reader function, arguments;
} partial;

/* The type of functools.partial, which is in C; a subclass in Python has its fields, too. */
static bool is_partial(object type)
{
    const char *name = AT(const char *, type, TYPE_NAME);
    if (partial.type == NULL && strcmp(name, "functools.partial") == 0 && hw_reader(type, "func", &partial.function) &&
        hw_reader(type, "args", &partial.arguments) && partial.function.offset != 0 && partial.arguments.offset != 0) {
        hw_Py_IncRef(type);
        partial.type = type;
    }
    return partial.type != NULL && (type == partial.type || hw_PyType_IsSubtype(type, partial.type));
}

/* What a partial calls. Of `partial(context.run, function)`, as asyncio.to_thread makes them, that function. */
static object inside(object o)
{
    object function = AT(object, o, partial.function.offset), arguments = AT(object, o, partial.arguments.offset);
    if (function == NULL || TYPE_OF(function) != hw_PyCFunction_Type || arguments == NULL)
        return function;
    object self = AT(object, function, CFUNCTION_SELF);
    const char *type = self != NULL ? AT(const char *, TYPE_OF(self), TYPE_NAME) : "";
    const char *dot = strrchr(type, '.');
    if (strcmp(AT(struct method *, function, CFUNCTION_METHOD)->name, "run") != 0 ||
        strcmp(dot != NULL ? dot + 1 : type, "Context") != 0)
        return function;
    object first = hw_PyTuple_GetItem(arguments, 0);
    if (first == NULL)
        hw_PyErr_Clear();
    return first != NULL ? first : function;
}

object hw_mapped(object o, const char *file, struct function *function)
{
    object its = is_partial(TYPE_OF(o)) ? AT(object, o, partial.function.offset) : NULL;
    object arguments = its != NULL ? AT(object, o, partial.arguments.offset) : NULL;
    if (arguments == NULL || TYPE_OF(its) != hw_PyFunction_Type ||
        !hw_is_code(AT(object, its, FUNCTION_CODE), file, function))
        return o;
    object first = hw_PyTuple_GetItem(arguments, 0);
    if (first == NULL)
        hw_PyErr_Clear();
    return first != NULL ? first : o;
}

static uint32_t named(const char *of, const char *name)
{
    char text[256];
    snprintf(text, sizeof text, "%s%s%s", of, *of ? "." : "", name);
    hw_self.busy = true;
    uint32_t found = hw_code_named(text);
    hw_out();
    return found;
}

static uint32_t of_builtin(object function)
{
    const char *name = AT(struct method *, function, CFUNCTION_METHOD)->name;
    object self = AT(object, function, CFUNCTION_SELF), module = AT(object, function, CFUNCTION_MODULE);
    const char *of = "";
    if (self != NULL && TYPE_OF(self) != hw_PyModule_Type) {
        of = AT(const char *, TYPE_OF(self), TYPE_NAME);
    } else if (module != NULL && module != hw__Py_NoneStruct) {
        of = hw_PyUnicode_AsUTF8(module);
        if (of == NULL) {
            hw_PyErr_Clear();
            of = "";
        }
    }
    return named(of, name);
}

uint32_t hw_called(object o)
{
    for (int depth = 0; o != NULL && depth < 8; depth++) {
        object type = TYPE_OF(o), code;
        if (type == hw_PyFunction_Type) {
            if ((code = AT(object, o, FUNCTION_CODE)) == NULL)
                return 0;
            hw_self.busy = true;
            uint32_t found = hw_code(code);
            hw_out();
            return found;
        }
        if (type == hw_PyMethod_Type)
            o = AT(object, o, METHOD_FUNCTION);
        else if (is_partial(type))
            o = inside(o);
        else if (type == hw_PyCFunction_Type)
            return of_builtin(o);
        else /* a class, or an object that can be called: of these the class is told */
            return named("", AT(const char *, hw_PyType_IsSubtype(type, hw_PyType_Type) ? o : type, TYPE_NAME));
    }
    return 0;
}
