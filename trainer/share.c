#include "trainer/share.h"

#include "runtime/util/error.h"

#include <stdlib.h>

/* The first steps build kernels. Shares that are nearly right stay: what a rank does next costs more to begin anew. */
enum { FIRST_STEPS = 3, MEASURED_STEPS = 10 };
static const double tolerance = 1.1; /* of the slowest rank's time, in that of the mean */

struct share share_equally(int ranks, int pairs)
{
    struct share share = {.ranks = ranks,
                          .pairs = mem_new((size_t)ranks, sizeof *share.pairs),
                          .seconds = mem_new((size_t)ranks, sizeof *share.seconds),
                          .steps = -FIRST_STEPS};
    for (int r = 0; r < ranks; r++)
        share.pairs[r] = (r + 1) * pairs / ranks - r * pairs / ranks;
    return share;
}

void share_free(struct share *share)
{
    free(share->pairs);
    free(share->seconds);
    *share = (struct share){0};
}

/* Where the rank's samples begin: behind one for each rank before it, and their parts of what is beyond one each. */
static int start_of(const struct share *share, int rank, int drawn)
{
    long long all = 0, before = 0;
    for (int r = 0; r < share->ranks; r++) {
        all += share->pairs[r] - 1;
        before += r < rank ? share->pairs[r] - 1 : 0;
    }
    return rank + (all > 0 ? (int)((drawn - share->ranks) * before / all) : 0);
}

void share_part(int *first, int *count, const struct share *share, int rank, int drawn)
{
    CHECK(drawn >= share->ranks, "%d samples for %d ranks", drawn, share->ranks);
    *first = start_of(share, rank, drawn);
    *count = start_of(share, rank + 1, drawn) - *first;
}

/* In proportion to pairs a second, but one for each at least. */
static void share_anew(struct share *share)
{
    double all = 0, before = 0;
    int pairs = 0, given = 0;
    for (int r = 0; r < share->ranks; r++) {
        pairs += share->pairs[r];
        all += share->pairs[r] / share->seconds[r];
    }
    for (int r = 0; r < share->ranks; r++) {
        before += share->pairs[r] / share->seconds[r];
        int end = (int)(pairs * (before / all) + 0.5), least = given + 1, most = pairs - (share->ranks - 1 - r);
        end = end < least ? least : end > most ? most : end;
        share->pairs[r] = end - given;
        given = end;
    }
}

static void forget(struct share *share)
{
    for (int r = 0; r < share->ranks; r++)
        share->seconds[r] = 0;
    share->steps = 0;
}

bool share_measure(struct share *share, const double *seconds)
{
    double most = 0, sum = 0;
    if (++share->steps <= 0)
        return false;
    for (int r = 0; r < share->ranks; r++) {
        share->seconds[r] += seconds[r];
        most = share->seconds[r] > most ? share->seconds[r] : most;
        sum += share->seconds[r];
    }
    if (share->steps < MEASURED_STEPS)
        return false;
    bool anew = most > tolerance * sum / share->ranks;
    if (anew)
        share_anew(share);
    forget(share);
    return anew;
}

json_t *share_json(const struct share *share)
{
    json_t *pairs = json_array();
    for (int r = 0; r < share->ranks; r++)
        json_array_append_new(pairs, json_integer(share->pairs[r]));
    return pairs;
}

void share_from_json(struct share *share, const json_t *pairs)
{
    json_int_t all = 0, read = 0, least = 1;
    for (int r = 0; r < share->ranks; r++) {
        json_int_t count = json_integer_value(json_array_get(pairs, (size_t)r));
        all += share->pairs[r];
        read += count;
        least = count < least ? count : least;
    }
    if (json_array_size(pairs) == (size_t)share->ranks && read == all && least == 1)
        for (int r = 0; r < share->ranks; r++)
            share->pairs[r] = (int)json_integer_value(json_array_get(pairs, (size_t)r));
}
