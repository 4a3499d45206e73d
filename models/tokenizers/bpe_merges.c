#include "models/tokenizers/bpe_merges.h"

#include "runtime/util/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

enum { NONE = -1 };

struct merge {
    int left, right;
    int rank;
    int merged; /* NONE: an empty slot */
};

struct bpe_merges {
    struct merge *slots; // [mask + 1], at most half of them taken
    size_t mask;
};

/* ---- the table ---- */

struct bpe_merges *bpe_merges_new(size_t count)
{
    struct bpe_merges *merges = mem_new(1, sizeof *merges);
    for (merges->mask = 1; merges->mask < 2 * count; merges->mask = 2 * merges->mask + 1)
        ;
    merges->slots = mem_new(merges->mask + 1, sizeof *merges->slots);
    for (size_t i = 0; i <= merges->mask; i++)
        merges->slots[i].merged = NONE;
    return merges;
}

void bpe_merges_free(struct bpe_merges *merges)
{
    if (!merges)
        return;
    free(merges->slots);
    free(merges);
}

/* The pair's slot, or the empty one where it belongs. */
static struct merge *slot_of(const struct bpe_merges *merges, int left, int right)
{
    uint64_t hash = ((uint64_t)(uint32_t)left << 32 | (uint32_t)right) * 0x9E3779B97F4A7C15u;
    for (size_t at = hash >> 32 & merges->mask;; at = (at + 1) & merges->mask) {
        struct merge *slot = &merges->slots[at];
        if (slot->merged == NONE || (slot->left == left && slot->right == right))
            return slot;
    }
}

void bpe_merges_add(struct bpe_merges *merges, int left, int right, int rank, int merged)
{
    *slot_of(merges, left, right) = (struct merge){left, right, rank, merged};
}

/* ---- applying ---- */

/* A symbol of the word, the first of those it was merged from. */
struct symbol {
    int id;
    int merged;             /* what it and the next become, or NONE */
    ptrdiff_t before, next; /* NONE at the ends */
};

struct candidate {
    int rank;
    int merged;
    ptrdiff_t at;
};

struct bpe_room {
    struct symbol *symbols;    // [count]
    struct candidate *waiting; // [3 * count], a heap: no entry goes before its half's
    size_t waiting_count;
};

struct bpe_room *bpe_room_new(size_t count)
{
    struct bpe_room *room = mem_new(1, sizeof *room);
    room->symbols = mem_new(count + 1, sizeof *room->symbols);
    room->waiting = mem_new(3 * count + 1, sizeof *room->waiting);
    return room;
}

void bpe_room_free(struct bpe_room *room)
{
    free(room->symbols);
    free(room->waiting);
    free(room);
}

static bool goes_before(struct candidate a, struct candidate b)
{
    return a.rank != b.rank ? a.rank < b.rank : a.at < b.at;
}

static void push(struct bpe_room *room, struct candidate candidate)
{
    size_t at = room->waiting_count++;
    for (; at > 0 && goes_before(candidate, room->waiting[(at - 1) / 2]); at = (at - 1) / 2)
        room->waiting[at] = room->waiting[(at - 1) / 2];
    room->waiting[at] = candidate;
}

static struct candidate pop(struct bpe_room *room)
{
    struct candidate first = room->waiting[0], last = room->waiting[--room->waiting_count];
    size_t at = 0;
    for (size_t child; (child = 2 * at + 1) < room->waiting_count; at = child) {
        if (child + 1 < room->waiting_count && goes_before(room->waiting[child + 1], room->waiting[child]))
            child++;
        if (!goes_before(room->waiting[child], last))
            break;
        room->waiting[at] = room->waiting[child];
    }
    room->waiting[at] = last;
    return first;
}

/* Looks up what the symbol and the next one become. */
static void consider(const struct bpe_merges *merges, struct bpe_room *room, ptrdiff_t at)
{
    struct symbol *symbol = &room->symbols[at];
    symbol->merged = NONE;
    if (symbol->next == NONE)
        return;
    const struct merge *merge = slot_of(merges, symbol->id, room->symbols[symbol->next].id);
    if (merge->merged == NONE)
        return;
    symbol->merged = merge->merged;
    push(room, (struct candidate){merge->rank, merge->merged, at});
}

static void merge_with_next(const struct bpe_merges *merges, struct bpe_room *room, ptrdiff_t at)
{
    struct symbol *symbol = &room->symbols[at], *gone = &room->symbols[symbol->next];
    symbol->id = symbol->merged;
    symbol->next = gone->next;
    gone->merged = NONE;
    if (symbol->next != NONE)
        room->symbols[symbol->next].before = at;
    if (symbol->before != NONE)
        consider(merges, room, symbol->before);
    consider(merges, room, at);
}

size_t bpe_merges_apply(const struct bpe_merges *merges, int *ids, size_t count, struct bpe_room *room)
{
    if (count == 0)
        return 0;
    room->waiting_count = 0;
    for (size_t i = 0; i < count; i++) {
        ptrdiff_t at = (ptrdiff_t)i;
        room->symbols[i] = (struct symbol){ids[i], NONE, at - 1, i + 1 < count ? at + 1 : NONE};
    }
    for (size_t i = 0; i < count; i++)
        consider(merges, room, (ptrdiff_t)i);
    while (room->waiting_count > 0) {
        struct candidate candidate = pop(room);
        if (room->symbols[candidate.at].merged == candidate.merged) /* the pair is still the one that waited */
            merge_with_next(merges, room, candidate.at);
    }
    size_t left = 0;
    for (ptrdiff_t at = 0; at != NONE; at = room->symbols[at].next)
        ids[left++] = room->symbols[at].id;
    return left;
}
