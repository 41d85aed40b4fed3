/* Reading the interpreter's structs: line tables, strings, and layouts that are not what they seem. */
#include "../python.c"

#include <stdio.h>
#include <stdlib.h>

__thread struct hw_self hw_self;
struct hw_process hw;

#define CHECK(what)                                                            \
    do {                                                                       \
        if (!(what)) {                                                         \
            fprintf(stderr, "python_test.c:%d: not so: %s\n", __LINE__, #what); \
            exit(1);                                                           \
        }                                                                      \
    } while (0)

/* A bytes object and a code object of 3.11, on the heap and of their exact size: a sanitizer sees every byte too far. */
static char *code_with_table(const uint8_t *table, size_t n, int firstlineno)
{
    char *bytes = calloc(1, 32 + n), *code = calloc(1, 256);
    memcpy(bytes + 32, table, n);
    *(int64_t *)(void *)(bytes + 16) = (int64_t)n;
    *(char **)(void *)(code + layout_311.linetable) = bytes;
    *(int32_t *)(void *)(code + layout_311.firstlineno) = firstlineno;
    return code;
}

static uint32_t line(const uint8_t *table, size_t n, int firstlineno, uint32_t instruction)
{
    char *code = code_with_table(table, n, firstlineno);
    uint32_t found = hw_frame_line(code, instruction);
    free(*(char **)(void *)(code + layout_311.linetable));
    free(code);
    return found;
}

#define LINE(first, instruction, ...) \
    line((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}), first, instruction)
#define FORM(form, length) (0x80 | (form) << 3 | ((length) - 1))

static void lines(void)
{
    /* Forms 10 to 12: zero, one or two lines further, two bytes of columns. */
    CHECK(LINE(7, 0, FORM(10, 2), 1, 2, FORM(11, 1), 1, 2) == 7);
    CHECK(LINE(7, 1, FORM(10, 2), 1, 2, FORM(11, 1), 1, 2) == 7);
    CHECK(LINE(7, 2, FORM(10, 2), 1, 2, FORM(11, 1), 1, 2) == 8);
    CHECK(LINE(7, 0, FORM(12, 8), 1, 2) == 9);
    /* Form 13: a signed varint: 3, -3, and one of two parts: 100. */
    CHECK(LINE(7, 0, FORM(13, 1), 6) == 10);
    CHECK(LINE(7, 0, FORM(13, 1), 7) == 4);
    CHECK(LINE(7, 0, FORM(13, 1), 0x40 | (200 & 63), 200 >> 6) == 107);
    /* Form 14: line, end line, columns; all of it is skipped by the missing high bit. */
    CHECK(LINE(1, 3, FORM(14, 3), 2, 1, 5, 9, FORM(11, 1), 1, 2) == 3);
    /* Short forms: no change of line, one byte of columns. Form 15: no line. */
    CHECK(LINE(5, 0, FORM(3, 1), 4) == 5);
    CHECK(LINE(5, 0, FORM(15, 4)) == 0);
    CHECK(LINE(5, 4, FORM(15, 4), FORM(10, 1), 0, 0) == 5);
    /* Beyond the table, an empty table, and tables that are cut off. */
    CHECK(LINE(5, 9, FORM(10, 2), 1, 2) == 0);
    CHECK(line((const uint8_t *)"", 0, 5, 0) == 0);
    LINE(5, 0, FORM(13, 1));
    LINE(5, 1, FORM(13, 1), 0x7f);
    LINE(5, 1, FORM(14, 1), 0x7f, 0x7f, 0x7f);
    CHECK(LINE(5, 0, FORM(13, 1), 63) == 0); /* below zero */
    srand(1);
    for (int i = 0; i < 20000; i++) {
        uint8_t table[16];
        size_t n = (size_t)rand() % sizeof table;
        for (size_t k = 0; k < n; k++)
            table[k] = (uint8_t)rand();
        line(table, n, 5, (uint32_t)rand() % 40);
    }
}

/* A str of 3.11: `width` bytes a character. */
static char *text_of(unsigned width, bool ascii, const uint32_t *characters, size_t n)
{
    size_t header = ascii ? layout_311.ascii_data : layout_311.compact_data;
    char *text = calloc(1, header + n * width);
    *(uint64_t *)(void *)(text + layout_311.text_length) = n;
    *(uint32_t *)(void *)(text + layout_311.text_state) = width << 2 | 1u << 5 | (unsigned)ascii << 6;
    for (size_t i = 0; i < n; i++)
        memcpy(text + header + i * width, &characters[i], width); /* little-endian */
    return text;
}

static void copies(const char *expected, size_t room, unsigned width, bool ascii, const uint32_t *characters, size_t n)
{
    char *text = text_of(width, ascii, characters, n), *to = malloc(room);
    size_t length = copy_text(text, to, room);
    CHECK(length == strlen(expected) && strcmp(to, expected) == 0);
    free(text);
    free(to);
}
#define COPIES(expected, room, width, ascii, ...) \
    copies(expected, room, width, ascii, (const uint32_t[]){__VA_ARGS__}, sizeof((const uint32_t[]){__VA_ARGS__}) / 4)

static void strings(void)
{
    COPIES("abc", 9, 1, true, 'a', 'b', 'c');
    COPIES("gr\xc3\xb6\xc3\x9f" "e", 20, 1, false, 'g', 'r', 0xf6, 0xdf, 'e');
    COPIES("\xe6\x97\xa5\xe6\x9c\xac", 20, 2, false, 0x65e5, 0x672c);
    COPIES("\xf0\x9f\x9a\x82!", 20, 4, false, 0x1f682, '!');
    COPIES("a?b", 20, 2, false, 'a', 0xdc80, 'b'); /* half a pair: not a character */
    /* Too long: cut between characters, always with its end. */
    COPIES("ab", 3, 1, true, 'a', 'b', 'c');
    COPIES("a", 3, 1, false, 'a', 0xf6);
    COPIES("a\xc3\xb6", 4, 1, false, 'a', 0xf6, 'c');
    COPIES("", 1, 1, true, 'a');
    COPIES("", 4, 4, false, 0x1f682);
    char untouched = 7;
    CHECK(copy_text(NULL, &untouched, 1) == 0);
    CHECK(copy_text("", &untouched, 0) == 0 && untouched == 7);
}

static void texts(void)
{
    char to[20], *code = calloc(1, 256);
    size_t name_at = 0;
    *(char **)(void *)(code + layout_311.filename) = text_of(1, true, (const uint32_t[]){'f', '.', 'p', 'y'}, 4);
    *(char **)(void *)(code + layout_311.qualname) = text_of(1, true, (const uint32_t[]){'C', '.', 'm'}, 3);
    CHECK(hw_frame_text(code, to, sizeof to, &name_at) == 9);
    CHECK(name_at == 5 && memcmp(to, "f.py\0C.m", 9) == 0);
    for (size_t room = 2; room < sizeof to; room++) {
        char *exact = malloc(room);
        size_t n = hw_frame_text(code, exact, room, &name_at);
        CHECK(n <= room && name_at <= room && exact[n - 1] == 0);
        free(exact);
    }
    free(*(char **)(void *)(code + layout_311.filename));
    free(*(char **)(void *)(code + layout_311.qualname));
    free(code);
}

static void offsets(void)
{
    char runtime[1024] = "xdebugpy";
    bool free_threaded = true;
    *(uint64_t *)(void *)(runtime + 8) = 0x030d0000;
    CHECK(read_debug_offsets(runtime, 0x030d00f0, &free_threaded) && !free_threaded);
    *(uint64_t *)(void *)(runtime + 16) = 1;
    CHECK(read_debug_offsets(runtime, 0x030d00f0, &free_threaded) && free_threaded);
    CHECK(!read_debug_offsets(runtime, 0x030e00f0, &free_threaded)); /* says 3.13 itself */
    CHECK(!read_debug_offsets(runtime, 0x03ff00f0, &free_threaded)); /* not known */
    *(uint64_t *)(void *)(runtime + debug_313.previous) = 1u << 20;
    CHECK(!read_debug_offsets(runtime, 0x030d00f0, &free_threaded));
    runtime[0] = 'y';
    CHECK(!read_debug_offsets(runtime, 0x030d00f0, &free_threaded));
}

int main(void)
{
    py.at = layout_311;
    lines();
    strings();
    texts();
    offsets();
    CHECK(!py.walks);
    struct hw_walked walked;
    CHECK(!hw_walk(&walked, 8)); /* no interpreter: nothing to walk */
    puts("python_test: passed");
    return 0;
}
