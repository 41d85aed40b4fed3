/* Checks what must hold of every process file: `check FILE...`. Fails loudly, and names the file and the thread.
 *
 * - sections lie inside the file, one after the other
 * - the totals of a thread, by kind, add up to its life up to the current state, to the nanosecond
 * - its records touch; with the pending burst and the current state they partition its life
 * - where nothing was overwritten, records and bursts give the totals again
 * - every record that was stored is there, or was overwritten and counted
 * - a GIL was dropped as often as it was taken, but for who holds it
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../record.h"

static const char *file_name;
static char *base;
static uint64_t bytes;
static struct hw_header *header;

#define REQUIRE(what, ...)                                                                 \
    do {                                                                                   \
        if (!(what)) {                                                                     \
            fprintf(stderr, "%s: check.c:%d: not so: %s: ", file_name, __LINE__, #what);   \
            fprintf(stderr, __VA_ARGS__);                                                  \
            fputc('\n', stderr);                                                           \
            exit(1);                                                                       \
        }                                                                                  \
    } while (0)

static const struct hw_section *section(enum hw_section_id id)
{
    return id < HW_SECTION_UNITS ? &header->sections[id] : &header->units;
}

static uint32_t used(enum hw_section_id id)
{
    const struct hw_section *s = section(id);
    return s->count < s->capacity ? s->count : s->capacity;
}

static void *entry(enum hw_section_id id, uint32_t index)
{
    const struct hw_section *s = section(id);
    REQUIRE(index < used(id), "section %d, entry %u of %u", id, index, used(id));
    return base + s->offset + (uint64_t)index * s->stride;
}

static void check_sections(void)
{
    uint64_t at = sizeof *header;
    for (int i = 0; i < HW_NSECTIONS; i++) {
        const struct hw_section *s = section(i);
        REQUIRE(s->offset >= at, "section %d overlaps the one before", i);
        REQUIRE(used(i) <= s->reserved, "section %d: %u entries in %u reserved", i, used(i), s->reserved);
        at = s->offset + (uint64_t)s->reserved * s->stride;
        REQUIRE(at <= bytes, "section %d ends at %" PRIu64 " of %" PRIu64, i, at, bytes);
    }
}

static int by_seq(const void *a, const void *b)
{
    const struct hw_chunk *x = *(struct hw_chunk *const *)a, *y = *(struct hw_chunk *const *)b;
    return (x->seq > y->seq) - (x->seq < y->seq);
}

static void check_references(const struct hw_record *r, uint32_t kind, uint32_t slot)
{
    if (kind == HW_BURST || kind == HW_OFFCPU || kind == HW_REAPED)
        return;
    REQUIRE(r->b == 0 || r->b <= used(HW_SECTION_STACKS), "thread %u: stack %u", slot, r->b);
    if (kind == HW_PYTHON || kind == HW_GIL)
        REQUIRE(r->a < used(HW_SECTION_GILS), "thread %u: GIL %u", slot, r->a);
    if (kind >= HW_LOCK && kind <= HW_FUTURE) {
        REQUIRE(r->a == HW_NOBODY || r->a < used(HW_SECTION_LOCKS), "thread %u: lock %u", slot, r->a);
        REQUIRE(r->c == HW_NOBODY || r->c < used(HW_SECTION_THREADS), "thread %u: owner %u", slot, r->c);
        REQUIRE(r->d == HW_NOBODY || r->d < used(HW_SECTION_THREADS), "thread %u: waker %u", slot, r->d);
    }
}

static uint32_t torn; /* threads that a kill hit in the middle of an update */

/* Returns how many of the thread's records are there. */
static uint64_t check_thread(uint32_t slot)
{
    const struct hw_thread *t = entry(HW_SECTION_THREADS, slot);
    if (!t->ready)
        return 0;
    if (t->version % 2 != 0) {
        REQUIRE(t->end_ns == 0, "thread %u ended in the middle of an update", slot);
        torn++;
        return 0;
    }
    REQUIRE(t->kind > HW_NONE && t->kind < HW_NKINDS && t->kind != HW_CPU, "thread %u: kind %u", slot, t->kind);
    REQUIRE(memchr(t->name, 0, sizeof t->name) != NULL, "thread %u", slot);
    uint64_t sum = 0;
    for (int k = 0; k < HW_NKINDS; k++)
        sum += t->total_ns[k];
    REQUIRE(sum == t->since_ns - t->created_ns, "thread %u: totals %" PRIu64 ", life %" PRIu64, slot, sum,
            t->since_ns - t->created_ns);
    REQUIRE(t->total_ns[HW_NONE] == 0 && t->total_ns[HW_CPU] == 0, "thread %u", slot);
    REQUIRE(t->end_ns == 0 || t->end_ns == t->since_ns, "thread %u", slot);
    REQUIRE(t->hold_ns <= t->since_ns - t->created_ns, "thread %u holds longer than it lives", slot);
    for (int k = 0; k < 2; k++)
        REQUIRE(t->ready_cpu_ns[k] + t->off_other_ns[k] <= t->total_ns[HW_PYTHON + k], "thread %u: off the core", slot);

    uint32_t n = used(HW_SECTION_CHUNKS), mine = 0;
    struct hw_chunk **chunks = calloc(n + 1, sizeof *chunks);
    for (uint32_t i = 0; i < n; i++) {
        struct hw_chunk *chunk = entry(HW_SECTION_CHUNKS, i);
        if (chunk->state != HW_CHUNK_FREE && chunk->slot == slot)
            chunks[mine++] = chunk;
    }
    qsort(chunks, mine, sizeof *chunks, by_seq);
    uint64_t there = 0, at = t->created_ns, total_ns[HW_NKINDS] = {0}, total_count[HW_NKINDS] = {0};
    bool whole = header->overwritten == 0 && t->lost == 0;
    for (uint32_t i = 0; i < mine; i++) {
        REQUIRE(chunks[i]->count <= HW_CHUNK_RECORDS, "thread %u", slot);
        REQUIRE((chunks[i]->state == HW_CHUNK_OPEN) == (t->chunk != 0 && entry(HW_SECTION_CHUNKS, t->chunk - 1) == chunks[i]),
                "thread %u: its open chunk", slot);
        for (uint32_t j = 0; j < chunks[i]->count; j++, there++) {
            const struct hw_record *r = &chunks[i]->records[j];
            uint32_t kind = r->dur_kind & 255;
            uint64_t duration = r->dur_kind >> 8;
            check_references(r, kind, slot);
            if (kind == HW_HOLD)
                REQUIRE(r->d == 0 ? r->c == 0 : r->d > 1 && r->c <= duration && r->b == 0, "thread %u: holds", slot);
            if (kind == HW_OFFCPU || kind == HW_CHILD || kind == HW_REAPED || kind == HW_HOLD)
                continue;
            REQUIRE((kind > HW_NONE && kind < HW_NKINDS && kind != HW_CPU) || kind == HW_BURST, "thread %u: kind %u", slot, kind);
            /* Only where records are missing may there be a gap: at the beginning of a chunk. */
            REQUIRE(r->start_ns == at || (!whole && j == 0 && r->start_ns > at),
                    "thread %u: record %u of chunk %u begins %" PRId64 " ns after the one before", slot, j, i,
                    (int64_t)(r->start_ns - at));
            at = r->start_ns + duration;
            if (kind == HW_BURST) {
                REQUIRE(r->d > 0, "thread %u: a burst of nothing", slot);
                uint64_t rest = (uint64_t)r->a + r->b + r->c;
                REQUIRE(rest <= duration, "thread %u: a burst", slot);
                total_ns[HW_NATIVE] += r->a;
                total_ns[HW_IO] += r->b;
                total_ns[HW_GIL] += r->c;
                total_ns[HW_PYTHON] += duration - rest;
                total_count[HW_NONE] += r->d;
            } else {
                total_ns[kind] += duration;
                total_count[kind]++;
            }
        }
    }
    if (whole) {
        REQUIRE(there == t->records, "thread %u: %" PRIu64 " records of %" PRIu64, slot, there, t->records);
        if (t->burst_count > 0) {
            REQUIRE(at == t->burst_start_ns, "thread %u: the pending burst", slot);
            total_ns[HW_NATIVE] += t->burst_native_ns;
            total_ns[HW_IO] += t->burst_io_ns;
            total_ns[HW_GIL] += t->burst_gil_ns;
            total_ns[HW_PYTHON] += t->since_ns - t->burst_start_ns - t->burst_native_ns - t->burst_io_ns - t->burst_gil_ns;
            total_count[HW_NONE] += t->burst_count;
            at = t->since_ns;
        }
        REQUIRE(at == t->since_ns, "thread %u: %" PRId64 " ns are missing at its end", slot, (int64_t)(t->since_ns - at));
        uint64_t counted = 0, kept = 0;
        for (int k = 0; k < HW_NKINDS; k++) {
            REQUIRE(total_ns[k] == t->total_ns[k], "thread %u: kind %d: records %" PRIu64 ", total %" PRIu64, slot, k,
                    total_ns[k], t->total_ns[k]);
            counted += t->total_count[k];
            kept += total_count[k];
        }
        REQUIRE(counted == kept, "thread %u: %" PRIu64 " intervals of %" PRIu64, slot, kept, counted);
    }
    free(chunks);
    return there;
}

static void check_threads(void)
{
    uint64_t there = 0, stored = 0, lost = 0, holds = 0, holders = 0, takes = 0;
    for (uint32_t i = 0; i < used(HW_SECTION_THREADS); i++) {
        const struct hw_thread *t = entry(HW_SECTION_THREADS, i);
        there += check_thread(i);
        stored += t->records;
        lost += t->lost;
        holds += t->hold_count;
        holders += t->holds != 0;
    }
    REQUIRE(torn == 0 || header->end != HW_END_EXIT, "%u threads were hit in the middle of an update", torn);
    REQUIRE(torn != 0 || there + header->overwritten == stored, "%" PRIu64 " records there, %" PRIu64 " overwritten, %" PRIu64 " stored",
            there, header->overwritten, stored);
    for (uint32_t i = 0; i < used(HW_SECTION_GILS); i++)
        takes += ((struct hw_gil *)entry(HW_SECTION_GILS, i))->takes;
    bool inherited = (header->flags & HW_FLAG_FORKED) != 0; /* a forked child was born with the GIL */
    bool killed = header->end == HW_END_NONE;
    REQUIRE(killed || takes == holds + holders || (inherited && takes + 1 == holds + holders),
            "%" PRIu64 " takes, %" PRIu64 " holds, %" PRIu64 " holders", takes, holds, holders);
    printf("%s: %u threads, %" PRIu64 " records, %" PRIu64 " overwritten, %" PRIu64 " lost, end %u\n", file_name,
           used(HW_SECTION_THREADS), there, header->overwritten, lost, header->end);
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return fprintf(stderr, "check FILE...\n"), 2;
    for (int i = 1; i < argc; i++) {
        file_name = strrchr(argv[i], '/') ? strrchr(argv[i], '/') + 1 : argv[i];
        int fd = open(argv[i], O_RDONLY);
        struct stat st;
        REQUIRE(fd >= 0 && fstat(fd, &st) == 0, "cannot open it");
        bytes = (uint64_t)st.st_size;
        REQUIRE(bytes >= sizeof *header, "%" PRIu64 " bytes", bytes);
        base = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, 0);
        REQUIRE(base != MAP_FAILED, "cannot map it");
        close(fd);
        header = (struct hw_header *)base;
        REQUIRE(memcmp(header->magic, HW_MAGIC, 8) == 0 && header->version == HW_VERSION, "no trace");
        if (header->sections[HW_SECTION_THREADS].capacity != 0) { /* else shallow: no Python in it */
            torn = 0;
            check_sections();
            check_threads();
        }
        munmap(base, bytes);
    }
    return 0;
}
