/* Shares of a step: they cover it, whoever draws how much, and ranks of different speed wait little for each other. */
#include "trainer/share.h"

#include "runtime/util/error.h"

#include <stdio.h>

enum { RANKS = 3 };

static void check_parts(const struct share *share, int pairs)
{
    for (int drawn = share->ranks; drawn <= pairs; drawn++) {
        int end = 0, first, count;
        for (int r = 0; r < share->ranks; r++, end = first + count) {
            share_part(&first, &count, share, r, drawn);
            CHECK(first == end && count >= 1 && count <= share->pairs[r], "rank %d has %d from %d on, of %d", r, count,
                  first, drawn);
            CHECK(drawn < pairs || count == share->pairs[r], "rank %d has %d of a whole step, not %d", r, count,
                  share->pairs[r]);
        }
        CHECK(end == drawn, "%d of %d samples are somebody's", end, drawn);
    }
}

/* Pairs a second of ranks with these speeds, as a part of the speeds' sum, once shares have settled. */
static double efficiency(struct share *share, const double *speeds)
{
    double seconds[RANKS], longest = 0, sum = 0;
    int pairs = 0;
    for (int step = 0; step < 100; step++) {
        for (int r = 0; r < share->ranks; r++)
            seconds[r] = share->pairs[r] / speeds[r] + (step < 2 ? 30 * r : 0); /* kernels are built first */
        share_measure(share, seconds);
    }
    for (int r = 0; r < share->ranks; r++) {
        longest = share->pairs[r] / speeds[r] > longest ? share->pairs[r] / speeds[r] : longest;
        pairs += share->pairs[r];
        sum += speeds[r];
    }
    return pairs / longest / sum;
}

int main(void)
{
    static const struct {
        int ranks, pairs;
        double speeds[RANKS], least; /* equally fast ones keep what they have */
    } cases[] = {{1, 16, {7}, 0.999},         {2, 64, {10, 10}, 0.999},      {2, 64, {10, 5}, 0.93},
                 {2, 64, {1000, 1030}, 0.98}, {3, 24, {30, 15, 15.2}, 0.93}, {3, 300, {1, 100, 10}, 0.85}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct share share = share_equally(cases[i].ranks, cases[i].pairs);
        check_parts(&share, cases[i].pairs);
        double part = efficiency(&share, cases[i].speeds);
        CHECK(part > cases[i].least && part < 1.001, "case %zu: %g of the speeds' sum", i, part);
        check_parts(&share, cases[i].pairs);

        struct share again = share_equally(cases[i].ranks, cases[i].pairs);
        json_t *saved = share_json(&share);
        share_from_json(&again, saved);
        for (int r = 0; r < share.ranks; r++)
            CHECK(again.pairs[r] == share.pairs[r], "rank %d has %d pairs once saved", r, again.pairs[r]);
        json_decref(saved);
        share_free(&again);
        share_free(&share);
    }
    printf("%zu cases passed\n", sizeof cases / sizeof *cases);
    return 0;
}
