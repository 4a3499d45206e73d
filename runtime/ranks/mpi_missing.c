/* In place of mpi.c where MPI was absent at build time: several processes would train the same run, each by itself. */
#include "runtime/ranks/kinds.h"

int ranks_run_mpi(int *code, ranks_work *work, void *context, struct error *err)
{
    (void)code, (void)work, (void)context;
    return error_set(err, EXIT_USAGE,
                     "started by mpirun, but built without MPI: install it (Debian: libopenmpi-dev) "
                     "and run cmake and the build again");
}
