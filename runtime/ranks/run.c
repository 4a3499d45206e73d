/* How ranks start; apart from what they say to each other, so that programs which train nothing load no MPI. */
#include "runtime/ranks/kinds.h"

#include <stdlib.h>

/* What mpirun, or a launcher in its place, tells the processes that it starts. */
static bool is_launched(void)
{
    static const char *const signs[] = {"OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK"};
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
        if (getenv(signs[i]))
            return true;
    return false;
}

int ranks_run(int *code, int count, ranks_work *work, void *context, struct error *err)
{
    return is_launched() ? ranks_run_mpi(code, work, context, err) : ranks_run_threads(code, count, work, context, err);
}
