/* The socket that a server listens on.
 *
 *     struct listener listener;
 *     if (listener_open(&listener, "127.0.0.1", 8080, &err) != 0) return -1;
 *     ... listener.socket, listener.url is "http://127.0.0.1:8080/", listener.is_local ...
 *     listener_close(&listener);         // or listener_release: the socket is someone else's now
 */
#ifndef OCLIP_LISTENER_H
#define OCLIP_LISTENER_H

#include "runtime/util/error.h"

#include <stdbool.h>

struct listener {
    int socket;
    bool is_local; /* only this machine can reach it */
    char *url;
};

/* host: an address in numbers, or localhost; port 0: any that is free. */
int listener_open(struct listener *listener, const char *host, int port, struct error *err) MUST_CHECK;
void listener_release(struct listener *listener);
void listener_close(struct listener *listener);

#endif
