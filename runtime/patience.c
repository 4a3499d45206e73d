#include "runtime/patience.h"

#include "runtime/opencl.h"
#include "runtime/paths.h"
#include "runtime/util/progress.h"

#include <time.h>

static const double part_slept = 0.8, shortest_sleep = 0.0005; /* seconds: below, waking up costs as much */

double patience_sleep(const struct patience *patience)
{
    double seconds = part_slept * patience->expected;
    return seconds < shortest_sleep ? 0 : seconds;
}

/* Sleeping too long costs time, too short a bit of a core: shorter waits are believed at once, longer ones by half. */
void patience_learn(struct patience *patience, double seconds, bool overslept)
{
    if (overslept)
        patience->expected /= 2;
    else if (seconds < patience->expected)
        patience->expected = seconds;
    else
        patience->expected += (seconds - patience->expected) / 2;
}

static void sleep_for(double seconds)
{
    struct timespec time = {.tv_sec = (time_t)seconds};
    time.tv_nsec = (long)((seconds - (double)time.tv_sec) * 1e9);
    nanosleep(&time, NULL); /* a signal ends it early, which does no harm */
}

/* The mark tells whether all was done before the host woke up. */
struct patience_wait patience_begin(struct device *dev, struct patience *patience)
{
    struct patience_wait wait = {.began = clock_seconds()};
    cl_event mark;
    if (!path_is_on(dev, PATH_PATIENT_WAITS) || clEnqueueMarkerWithWaitList(dev->queue, 0, NULL, &mark) != CL_SUCCESS)
        return wait;
    wait.patience = patience;
    clFlush(dev->queue);
    double seconds = patience_sleep(patience);
    cl_int status = CL_QUEUED;
    if (seconds > 0) {
        sleep_for(seconds);
        clGetEventInfo(mark, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof status, &status, NULL);
    }
    wait.overslept = status <= CL_COMPLETE;
    clReleaseEvent(mark);
    return wait;
}

void patience_end(const struct patience_wait *wait)
{
    if (wait->patience)
        patience_learn(wait->patience, clock_seconds() - wait->began, wait->overslept);
}
