/* Functions of Python, or of Cython, whose C entry is ours: what they are, and what was there before. */
#define _GNU_SOURCE
#include "python_api.h"
#include "tracer.h"

#define SIZE 128u /* a power of two, more than twice as many as are ever watched */
static struct entry entries[SIZE]; /* by function; open addressing */
static uint32_t used;

static inline struct entry *place_of(object function)
{
    uint32_t at = (uint32_t)(((uintptr_t)function >> 4) * 0x9e3779b97f4a7c15u >> 40) % SIZE;
    while (entries[at].function != NULL && entries[at].function != function)
        at = (at + 1) % SIZE;
    return &entries[at];
}

const struct entry *hw_entry_of(object function)
{
    return place_of(function);
}

bool hw_watch(object function, vectorcall *ours, uint32_t word, bool compiled)
{
    size_t at = AT(size_t, TYPE_OF(function), TYPE_VECTORCALL);
    struct entry *entry = place_of(function);
    if (at == 0 || at > 256 || used == SIZE / 2 || entry->function != NULL || AT(vectorcall *, function, at) == NULL)
        return false;
    hw_Py_IncRef(function);
    *entry = (struct entry){function, AT(vectorcall *, function, at), word};
    used++;
    if (compiled && hw_PyFunction_SetVectorcall != NULL && TYPE_OF(function) == hw_PyFunction_Type)
        hw_PyFunction_SetVectorcall(function, ours);
    AT(vectorcall *, function, at) = ours;
    return true;
}
