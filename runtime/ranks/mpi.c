/* Ranks as processes that mpirun started. MPI's own waiting keeps a processor busy, which on a CPU is the device. */
#include "runtime/ranks/kinds.h"

#include <mpi.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Counts of MPI are ints, so what is longer goes in pieces. */
enum { PATIENCE_NS = 50000, PIECE = 1 << 24 };

static void finish(MPI_Request *requests, int count)
{
    for (int done = 0; MPI_Testall(count, requests, &done, MPI_STATUSES_IGNORE), !done;)
        nanosleep(&(struct timespec){.tv_nsec = PATIENCE_NS}, NULL);
}

static size_t pieces(size_t count)
{
    return (count + PIECE - 1) / PIECE;
}

static int piece_size(size_t count, size_t done)
{
    return (int)(count - done < PIECE ? count - done : PIECE);
}

static void gather(struct ranks *ranks, void *all, const void *own, const size_t *bytes)
{
    size_t most = 0;
    for (int r = 0; r < ranks->count; r++)
        most += pieces(bytes[r]);
    MPI_Request *requests = mem_new(most, sizeof *requests);
    char *to = all;
    int count = 0;
    for (int r = 0; r < ranks->count; to += bytes[r++]) {
        if (r == ranks->rank)
            memcpy(to, own, bytes[r]);
        for (size_t done = 0; done < bytes[r]; done += PIECE)
            MPI_Ibcast(to + done, piece_size(bytes[r], done), MPI_BYTE, r, MPI_COMM_WORLD, &requests[count++]);
    }
    finish(requests, count);
    free(requests);
}

static void sum(struct ranks *ranks, float *numbers, size_t count)
{
    (void)ranks;
    MPI_Request *requests = mem_new(pieces(count), sizeof *requests);
    for (size_t done = 0; done < count; done += PIECE)
        MPI_Iallreduce(MPI_IN_PLACE, numbers + done, piece_size(count, done), MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD,
                       &requests[done / PIECE]);
    finish(requests, (int)pieces(count));
    free(requests);
}

static const struct ranks_kind processes = {gather, sum};

static int count_neighbours_before(void)
{
    MPI_Comm machine;
    int neighbour;
    MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &machine);
    MPI_Comm_rank(machine, &neighbour);
    MPI_Comm_free(&machine);
    return neighbour;
}

int ranks_run_mpi(int *code, ranks_work *work, void *context, struct error *err)
{
    int threads;
    struct ranks ranks = {.kind = &processes};
    if (MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &threads) != MPI_SUCCESS)
        return error_set(err, EXIT_FAILED, "MPI does not start");
    MPI_Comm_rank(MPI_COMM_WORLD, &ranks.rank);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks.count);
    ranks.neighbour = count_neighbours_before();
    *code = work(&ranks, context);
    MPI_Finalize();
    return 0;
}
