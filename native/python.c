/* Reads the interpreter's own structs: the Python frames of the calling thread, and the names of threads.
 *
 * A thread walks only its own frames, at a moment when it runs no bytecode: it is in a call that blocks, takes or
 * drops the GIL. Its frames cannot change then, with or without the GIL, and they keep their code objects alive; the
 * strings and bytes of a code object are immutable.
 *
 * Source: CPython 3.11 and 3.12, Include/internal/pycore_frame.h; from 3.13 on the interpreter says itself where
 * things are (_Py_DebugOffsets at the start of _PyRuntime), and only the place of each answer is in the table below.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <string.h>

#include "tracer.h"

/* Offsets in bytes. */
struct layout {
    uint32_t cframe;        /* PyThreadState: 0, or the pointer through which current_frame is reached */
    uint32_t current_frame;
    uint32_t previous, code, instruction, locals; /* _PyInterpreterFrame */
    uint32_t filename, qualname, linetable, firstlineno, bytecode; /* PyCodeObject */
    uint32_t type;          /* PyObject */
    uint32_t bytes_size, bytes_data;
    uint32_t text_state, text_length, ascii_data, compact_data;
    uint32_t owner;         /* 3.12 only: of an entry frame it says so, and its code object is no code of the program */
};

static const struct layout layout_311 = {56, 8, 48, 32, 56, 72, 112, 128, 136, 72, 184, 8, 16, 32, 32, 16, 48, 72, 0};
static const struct layout layout_312 = {56, 0, 8, 0, 56, 72, 112, 128, 136, 68, 192, 8, 16, 32, 32, 16, 40, 56, 70};

/* Where _Py_DebugOffsets keeps each of these, in bytes from its start. */
struct debug_offsets {
    uint32_t current_frame, previous, code, instruction, locals, filename, qualname, linetable, firstlineno, bytecode,
        type, bytes_size, bytes_data, text_state, text_length, ascii_data;
};
static const struct debug_offsets debug_313 = {184, 232, 240, 248, 256, 280, 296, 304,
                                               312, 344, 360, 520, 528, 544, 552, 560};
static const struct debug_offsets debug_314 = {208, 256, 264, 272, 280, 320, 336, 344,
                                               352, 384, 408, 600, 608, 624, 632, 640};
static const struct debug_offsets debug_315 = {208, 320, 328, 336, 344, 384, 400, 408,
                                               416, 448, 472, 696, 704, 720, 728, 736};

static struct {
    struct layout at;
    bool walks;
    void *(*thread_state)(void);       /* PyGILState_GetThisThreadState */
    int (*finalizing)(void);           /* Py_IsFinalizing */
    int (*initialized)(void);          /* Py_IsInitialized */
    void *(*get_attribute)(void *, void *); /* PyObject_GenericGetAttr */
    void *(*text)(const char *);       /* PyUnicode_FromString */
    const char *(*as_utf8)(void *);
    void (*clear_error)(void);
    void (*release)(void *);           /* Py_DecRef */
    const void *code_type;             /* PyCode_Type */
    const void *base;                  /* of the object that holds the interpreter */
    bool present;
} py;

#define AT(type, base, offset) (*(type *)((const char *)(base) + (offset)))
#define UNTAG(p) ((const char *)((uintptr_t)(p) & ~(uintptr_t)3)) /* _PyStackRef of 3.14 on */

bool hw_python_present(void)
{
    return py.present;
}

bool hw_python_initialized(void)
{
    return py.initialized != NULL && py.initialized();
}

bool hw_from_python(const void *address)
{
    Dl_info info;
    return py.present && dladdr(address, &info) && info.dli_fbase == py.base;
}

static bool read_debug_offsets(const char *runtime, uint32_t version, bool *free_threaded)
{
    const struct debug_offsets *d;
    switch (version >> 16) {
    case 0x030d: d = &debug_313; break;
    case 0x030e: d = &debug_314; break;
    case 0x030f: d = &debug_315; break;
    default: return false;
    }
    if (memcmp(runtime, "xdebugpy", 8) != 0 || AT(uint64_t, runtime, 8) >> 16 != version >> 16)
        return false;
    *free_threaded = AT(uint64_t, runtime, 16) != 0;
    struct layout *l = &py.at;
    uint32_t *to[] = {&l->current_frame, &l->previous, &l->code, &l->instruction, &l->locals, &l->filename,
                      &l->qualname, &l->linetable, &l->firstlineno, &l->bytecode, &l->type, &l->bytes_size,
                      &l->bytes_data, &l->text_state, &l->text_length, &l->ascii_data};
    for (size_t i = 0; i < sizeof to / sizeof *to; i++) {
        uint64_t offset = AT(uint64_t, runtime, ((const uint32_t *)d)[i]);
        if (offset > 1024)
            return false; /* not what we think it is */
        *to[i] = (uint32_t)offset;
    }
    l->compact_data = l->ascii_data + 16; /* PyCompactUnicodeObject adds utf8_length and utf8 */
    l->cframe = 0;
    return true;
}

void hw_python_find(void)
{
    const uint32_t *version = dlsym(RTLD_DEFAULT, "Py_Version"); /* since 3.11 */
    void *initialized = dlsym(RTLD_DEFAULT, "Py_IsInitialized");
    uint32_t flags = 0;
    Dl_info info;
    if (dlsym(RTLD_DEFAULT, "pypy_main_startup") != NULL || dlsym(RTLD_DEFAULT, "rpython_startup_code") != NULL) {
        py.present = true;
        flags = HW_FLAG_PYTHON | HW_FLAG_PYPY;
    } else if (initialized != NULL && dladdr(initialized, &info)) {
        py.present = true;
        py.base = info.dli_fbase;
        flags = HW_FLAG_PYTHON;
    }
    if (py.base != NULL && version != NULL) {
        bool free_threaded = false;
        const char *runtime = dlsym(RTLD_DEFAULT, "_PyRuntime");
        py.initialized = (int (*)(void))initialized;
        py.thread_state = (void *(*)(void))dlsym(RTLD_DEFAULT, "PyGILState_GetThisThreadState");
        py.finalizing = (int (*)(void))dlsym(RTLD_DEFAULT, "Py_IsFinalizing");
        if (py.finalizing == NULL)
            py.finalizing = (int (*)(void))dlsym(RTLD_DEFAULT, "_Py_IsFinalizing");
        py.get_attribute = (void *(*)(void *, void *))dlsym(RTLD_DEFAULT, "PyObject_GenericGetAttr");
        py.text = (void *(*)(const char *))dlsym(RTLD_DEFAULT, "PyUnicode_FromString");
        py.as_utf8 = (const char *(*)(void *))dlsym(RTLD_DEFAULT, "PyUnicode_AsUTF8");
        py.clear_error = (void (*)(void))dlsym(RTLD_DEFAULT, "PyErr_Clear");
        py.release = (void (*)(void *))dlsym(RTLD_DEFAULT, "Py_DecRef");
        py.code_type = dlsym(RTLD_DEFAULT, "PyCode_Type");
        bool known = true;
        if (*version >> 16 == 0x030b)
            py.at = layout_311;
        else if (*version >> 16 == 0x030c)
            py.at = layout_312;
        else
            known = runtime != NULL && read_debug_offsets(runtime, *version, &free_threaded);
        py.walks = known && !free_threaded && py.thread_state != NULL && py.finalizing != NULL &&
                   py.initialized != NULL && py.code_type != NULL;
        if (py.walks)
            flags |= HW_FLAG_STACKS;
        if (free_threaded)
            flags |= HW_FLAG_FREE_THREADED;
        if (hw.header != NULL)
            hw.header->python_version = *version;
    }
    if (hw.header != NULL) {
        const char *(*text)(void) = (const char *(*)(void))dlsym(RTLD_DEFAULT, "Py_GetVersion");
        if (py.base != NULL && text != NULL && version != NULL)
            strncpy(hw.header->python_text, text(), sizeof hw.header->python_text - 1);
        __atomic_fetch_or(&hw.header->flags, flags, __ATOMIC_RELAXED);
    }
}

static const char *current_frame(void)
{
    if (!py.walks || !py.initialized() || py.finalizing())
        return NULL;
    const char *state = py.thread_state();
    if (state == NULL)
        return NULL;
    if (py.at.cframe != 0) {
        state = AT(const char *, state, py.at.cframe);
        if (state == NULL)
            return NULL;
    }
    return AT(const char *, state, py.at.current_frame);
}

/* The frame's code object, or NULL: a frame of the interpreter's own (3.12 on) has something else there. */
static inline const char *code_of(const char *frame)
{
    const char *code = UNTAG(AT(const char *, frame, py.at.code));
    if (code == NULL || AT(const void *, code, py.at.type) != py.code_type)
        return NULL;
    enum { FRAME_OWNED_BY_CSTACK = 3 };
    return py.at.owner != 0 && AT(char, frame, py.at.owner) == FRAME_OWNED_BY_CSTACK ? NULL : code;
}

const void *hw_frame(uint32_t further, void **locals, uint32_t n)
{
    const char *frame = current_frame();
    for (; frame != NULL; frame = AT(const char *, frame, py.at.previous))
        if (code_of(frame) != NULL && further-- == 0)
            break;
    if (frame == NULL)
        return NULL;
    for (uint32_t i = 0; i < n; i++)
        locals[i] = (void *)UNTAG(AT(void *, frame, py.at.locals + i * sizeof(void *)));
    return code_of(frame);
}

static inline uint64_t mix(uint64_t h, uint64_t v)
{
    h = (h ^ v) * 0x9e3779b97f4a7c15u;
    return h ^ h >> 29;
}

/* What a file name says, and where it is. Either alone is not enough: memory is used again, and ends are alike. */
static inline uint64_t name_hash(const char *text)
{
    uint32_t state = AT(uint32_t, text, py.at.text_state);
    uint64_t bytes = AT(uint64_t, text, py.at.text_length) * (state >> 2 & 7), end[2] = {0, 0};
    const char *data = text + (state >> 6 & 1 ? py.at.ascii_data : py.at.compact_data);
    if (LIKELY(bytes >= sizeof end))
        memcpy(end, data + bytes - sizeof end, sizeof end); /* two loads: a size that varies is forty instructions */
    else
        memcpy(end, data, bytes);
    return mix(mix(mix((uintptr_t)text, bytes), end[0]), end[1]);
}

static inline void add_frame(struct hw_walked *w, const char *code, uint32_t instruction, uint64_t file_hash)
{
    struct hw_walked_frame *f = &w->frames[w->depth++];
    f->code = code;
    f->instruction = instruction;
    /* An address alone is not enough: code objects are freed and others take their place. */
    f->hash = mix(mix(mix((uintptr_t)code, instruction), AT(uint32_t, code, py.at.firstlineno)),
                  (uintptr_t)AT(const void *, code, py.at.qualname)) ^
              file_hash;
    w->hash = mix(w->hash, f->hash);
}

static inline uint32_t instruction_of(const char *frame, const char *code)
{
    int64_t bytes = AT(const char *, frame, py.at.instruction) - (code + py.at.bytecode);
    return bytes > 0 ? (uint32_t)(bytes / 2) : 0;
}

bool hw_walk(struct hw_walked *w, uint32_t most)
{
    w->depth = 0;
    w->cut = w->of_coroutines = false;
    w->hash = 0;
    const char *file = NULL; /* of the frame before: often it is the same object, and has the same hash */
    uint64_t file_hash = 0;
    for (const char *frame = current_frame(); frame != NULL; frame = AT(const char *, frame, py.at.previous)) {
        const char *code = code_of(frame);
        if (code == NULL)
            continue;
        if (w->depth == most) {
            w->cut = true;
            break;
        }
        if (AT(const char *, code, py.at.filename) != file) {
            file = AT(const char *, code, py.at.filename);
            file_hash = name_hash(file);
        }
        add_frame(w, code, instruction_of(frame, code), file_hash);
    }
    return w->depth != 0;
}

/* A code object by itself, where it begins. */
void hw_walk_code(struct hw_walked *w, const void *code)
{
    if (py.walks && AT(const void *, code, py.at.type) == py.code_type)
        add_frame(w, code, HW_FIRST_LINE, name_hash(AT(const char *, code, py.at.filename)));
}

/* A frame of a coroutine that does not run: it is on no thread's stack. */
void hw_walk_frame(struct hw_walked *w, const void *frame)
{
    const char *code = py.walks ? code_of(frame) : NULL;
    if (code == NULL)
        return;
    if (w->depth == HW_DEPTH)
        w->cut = true;
    else
        add_frame(w, code, instruction_of(frame, code), name_hash(AT(const char *, code, py.at.filename)));
}

/* A coroutine has its frame inside. Where in it: the frame's code is in its place, and so is the instruction that the
 * interpreter tells. 0: it could not be found. */
size_t hw_frame_inside(const void *coroutine, size_t bytes, const void *code, long lasti)
{
    for (size_t at = 16; py.walks && at + sizeof(void *) <= bytes; at += sizeof(void *)) {
        if (UNTAG(AT(const char *, coroutine, at)) != code || at < py.at.code + 16)
            continue;
        const char *frame = (const char *)coroutine + at - py.at.code;
        if (at - py.at.code + py.at.instruction + sizeof(void *) <= bytes && code_of(frame) == code &&
            AT(const char *, frame, py.at.instruction) - ((const char *)code + py.at.bytecode) == lasti)
            return at - py.at.code;
    }
    return 0;
}

/* Line of an instruction, from the location table (CPython, InternalDocs/code_objects.md); 0 if it has none. */
uint32_t hw_frame_line(const char *code, uint32_t instruction)
{
    const char *table = AT(const char *, code, py.at.linetable);
    const uint8_t *p = (const uint8_t *)table + py.at.bytes_data;
    const uint8_t *end = p + AT(int64_t, table, py.at.bytes_size);
    int64_t line = AT(int32_t, code, py.at.firstlineno);
    if (instruction == HW_FIRST_LINE)
        return (uint32_t)line;
    uint64_t at = 0;
    while (p < end) {
        uint8_t first = *p++;
        uint32_t form = first >> 3 & 15, length = (first & 7u) + 1;
        if (form == 13 || form == 14) { /* a signed varint, low bit the sign */
            uint64_t value = 0;
            for (unsigned shift = 0; p < end; shift += 6) {
                value |= (uint64_t)(*p & 63) << shift;
                if (!(*p++ & 64))
                    break;
            }
            line += value & 1 ? -(int64_t)(value >> 1) : (int64_t)(value >> 1);
        } else if (form >= 10 && form <= 12) {
            line += form - 10;
        }
        if (instruction < at + length)
            return form == 15 || line < 0 ? 0 : (uint32_t)line;
        at += length;
        while (p < end && !(*p & 128))
            p++;
    }
    return 0;
}

/* Copies a str as UTF-8, cut to `bytes` with the terminating zero. Returns the length. */
static size_t copy_text(const char *text, char *to, size_t bytes)
{
    size_t n = 0;
    if (text == NULL || bytes == 0)
        return 0;
    uint32_t state = AT(uint32_t, text, py.at.text_state);
    uint64_t length = AT(uint64_t, text, py.at.text_length);
    unsigned width = state >> 2 & 7;
    bool compact = state >> 5 & 1, ascii = state >> 6 & 1;
    const char *data = text + (ascii ? py.at.ascii_data : py.at.compact_data);
    for (uint64_t i = 0; compact && i < length; i++) {
        uint32_t c = width == 1 ? ((const uint8_t *)data)[i]
                                : width == 2 ? ((const uint16_t *)data)[i] : ((const uint32_t *)data)[i];
        unsigned need = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
        if (n + need >= bytes)
            break;
        if (c >= 0xd800 && c < 0xe000)
            c = '?'; /* a lone surrogate: a file name that is not UTF-8 */
        if (c < 0x80) {
            to[n++] = (char)c;
        } else {
            static const uint8_t lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
            need = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
            to[n++] = (char)(lead[need] | c >> 6 * (need - 1));
            for (unsigned k = need - 1; k-- > 0;)
                to[n++] = (char)(0x80 | (c >> 6 * k & 63));
        }
    }
    to[n] = 0;
    return n;
}

size_t hw_frame_text(const char *code, char *to, size_t bytes, size_t *name_at)
{
    size_t n = copy_text(AT(const char *, code, py.at.filename), to, bytes - 1) + 1;
    *name_at = n;
    return n + copy_text(AT(const char *, code, py.at.qualname), to + n, bytes - n) + 1;
}

/* threading.Thread.start() calls pthread_create with its own frame on top and `self` as the first local. The caller
 * holds the GIL, so its name can be asked for as any C extension would. */
void hw_python_start_name(char *name)
{
    char text[640];
    size_t name_at;
    const char *frame = current_frame();
    while (frame != NULL && code_of(frame) == NULL)
        frame = AT(const char *, frame, py.at.previous);
    if (frame == NULL || py.get_attribute == NULL || py.text == NULL || py.as_utf8 == NULL || py.release == NULL || py.clear_error == NULL)
        return;
    hw_frame_text(code_of(frame), text, sizeof text, &name_at);
    size_t n = name_at - 1;
    if (strcmp(text + name_at, "Thread.start") != 0 || n < 12 || strcmp(text + n - 12, "threading.py") != 0)
        return;
    void *self = (void *)UNTAG(AT(void *, frame, py.at.locals));
    if (self == NULL)
        return;
    /* The generic lookup runs no code of the program, whatever its class overrides. */
    void *attribute = py.text("_name");
    void *value = attribute != NULL ? py.get_attribute(self, attribute) : NULL;
    if (attribute != NULL)
        py.release(attribute);
    const char *utf8 = value != NULL ? py.as_utf8(value) : NULL;
    if (utf8 != NULL) {
        n = strnlen(utf8, HW_NAME_BYTES);
        if (n >= HW_NAME_BYTES)
            for (n = HW_NAME_BYTES - 1; n > 0 && ((uint8_t)utf8[n] & 0xc0) == 0x80; n--)
                continue;
        memcpy(name, utf8, n);
    } else {
        py.clear_error();
    }
    if (value != NULL)
        py.release(value);
}
