#include "tools/connections.h"

#include "runtime/util/progress.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>

struct mark {
    int socket;
    double begin;
    struct mark *next, **before;
};

struct connections {
    pthread_mutex_t lock;
    struct mark *first;
};

struct connections *connections_new(void)
{
    struct connections *connections = mem_new(1, sizeof *connections);
    pthread_mutex_init(&connections->lock, NULL);
    return connections;
}

void connections_free(struct connections *connections)
{
    CHECK(!connections->first, "a connection is still open");
    pthread_mutex_destroy(&connections->lock);
    free(connections);
}

static void add(struct connections *connections, struct mark *mark)
{
    mark->next = connections->first;
    mark->before = &connections->first;
    if (mark->next)
        mark->next->before = &mark->next;
    connections->first = mark;
}

static void take_out(struct mark *mark)
{
    *mark->before = mark->next;
    if (mark->next)
        mark->next->before = mark->before;
}

void connections_note(void *context, struct MHD_Connection *connection, void **state,
                      enum MHD_ConnectionNotificationCode code)
{
    struct connections *connections = context;
    struct mark *mark = *state;
    pthread_mutex_lock(&connections->lock);
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        *state = mark = mem_new(1, sizeof *mark);
        mark->socket = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
        mark->begin = clock_seconds();
        add(connections, mark);
    } else if (mark) { /* the socket is still open here, so a cut never meets another's */
        take_out(mark);
        free(mark);
        *state = NULL;
    }
    pthread_mutex_unlock(&connections->lock);
}

void connections_restart(struct connections *connections, struct MHD_Connection *connection)
{
    struct mark *mark = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
    pthread_mutex_lock(&connections->lock);
    if (mark)
        mark->begin = clock_seconds();
    pthread_mutex_unlock(&connections->lock);
}

void connections_cut(struct connections *connections, double seconds)
{
    double now = clock_seconds();
    pthread_mutex_lock(&connections->lock);
    for (struct mark *mark = connections->first; mark; mark = mark->next)
        if (now - mark->begin > seconds)
            shutdown(mark->socket, SHUT_RDWR);
    pthread_mutex_unlock(&connections->lock);
}
