/* When the clients of a server began what they are at, so that none takes for ever: a byte now and then keeps a
 * connection from being idle, but not from being cut.
 *
 *     struct connections *connections = connections_new();
 *     ... MHD_OPTION_NOTIFY_CONNECTION, connections_note, connections ...
 *     connections_restart(connections, connection);      // a request is complete
 *     connections_cut(connections, 60);                  // each second or so
 *     connections_free(connections);
 */
#ifndef OCLIP_CONNECTIONS_H
#define OCLIP_CONNECTIONS_H

#include <microhttpd.h>

struct connections;

struct connections *connections_new(void);
void connections_free(struct connections *connections);

void connections_note(void *connections, struct MHD_Connection *connection, void **mark,
                      enum MHD_ConnectionNotificationCode code);
void connections_restart(struct connections *connections, struct MHD_Connection *connection);

/* Shuts those down that began more than so many seconds ago. */
void connections_cut(struct connections *connections, double seconds);

#endif
