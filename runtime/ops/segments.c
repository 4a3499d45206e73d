/* Where packed segments start. */
#include "runtime/ops/ops.h"

#include <limits.h>
#include <stdlib.h>

struct segments segments_of_lengths(struct tape *tape, const int *lengths, int count)
{
    struct segments segments = {.count = count};
    int *starts = mem_new((size_t)count + 1, sizeof *starts); // [count + 1]
    for (int s = 0; s < count; s++) {
        CHECK(lengths[s] > 0 && lengths[s] <= INT_MAX - starts[s], "segment %d has %d rows", s, lengths[s]);
        starts[s + 1] = starts[s] + lengths[s];
        if (lengths[s] > segments.longest)
            segments.longest = lengths[s];
    }
    segments.total = starts[count];
    segments.starts = tape_upload(tape, DTYPE_I32, 1, (int[]){count + 1}, starts);
    free(starts);
    return segments;
}

struct segments segments_uniform(struct tape *tape, int count, int length)
{
    int *lengths = mem_new((size_t)count, sizeof *lengths); // [count]
    for (int s = 0; s < count; s++)
        lengths[s] = length;
    struct segments segments = segments_of_lengths(tape, lengths, count);
    free(lengths);
    return segments;
}
