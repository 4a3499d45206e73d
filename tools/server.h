/* HTTP for programs that answer with JSON: one place for all that a client may do wrong.
 *
 *     static const struct route routes[] = {{"/health", "GET", ROUTE_OPEN, answer_health}, {0}};
 *     struct server *server;
 *     if (server_open(&server, &(struct server_options){.host = "127.0.0.1", .port = 8080, .routes = routes}, metrics,
 *                     &err) != 0)
 *         return -1;
 *     while (!stopped) { sleep(1); server_look_after(server); }
 *     server_quiesce(server);        // no new requests; then whatever waits must be woken
 *     server_close(server);
 *
 *     static void answer_health(struct exchange *exchange, const void *context)
 *     {
 *         server_reply(exchange, &(struct reply){.status = 200, .type = "text/plain", .text = mem_format("ok")});
 *     }
 *
 * Bounded are: the clients at once, the size of a head and of a body, the memory of all bodies, the time for a request
 * from the connection (or the request before it) to the answer's last byte. A handler runs when the body is complete,
 * on one of a few threads. It replies, or calls server_wait(), arranges for one server_wake() and is run again after
 * it, with exchange->state as it left it. Every refusal is a JSON object with "error".
 */
#ifndef OCLIP_SERVER_H
#define OCLIP_SERVER_H

#include "runtime/util/error.h"
#include "tools/metrics.h"

#include <stdbool.h>

struct server;

struct exchange;

enum route_kind {
    ROUTE_OPEN = 1,     /* needs no token */
    ROUTE_PREFIX = 2,   /* and whatever follows it */
    ROUTE_ENTRANCE = 4, /* ?token=TOKEN here is kept as a cookie */
};

struct route {
    const char *path, *method; /* GET is HEAD, too */
    unsigned kind;
    void (*answer)(struct exchange *exchange, const void *context);
    void (*free_state)(void *state); /* or NULL */
};

struct server_options {
    const char *host;  /* an address in numbers, or localhost */
    int port;          /* 0: any */
    const char *token; /* needed beyond the loopback device; or NULL */
    int clients;
    size_t body_max;
    const struct route *routes; /* ends with an empty one */
    const void *context;        /* given to each handler */
};

int server_open(struct server **out, const struct server_options *options, struct metrics *metrics,
                struct error *err) MUST_CHECK;
const char *server_url(const struct server *server); /* "http://127.0.0.1:8080/" */

/* To be called each second or so: closes connections that take too long. */
void server_look_after(struct server *server);

void server_quiesce(struct server *server); /* takes no new connections */
void server_close(struct server *server);   /* waits a little for answers on their way; NULL is fine */

/* ---- for handlers ---- */

/* One request on its way. */
struct exchange {
    const char *rest;  /* of the path, behind the route's own: the "5" of /picture/5 */
    const char *known; /* the If-None-Match header, or NULL */
    char *body;        // [size], and a zero behind
    size_t size;
    void *state; /* the handler's */

    /* The server's: */
    struct server *server;
    struct MHD_Connection *connection;
    const struct route *route;
    size_t room;
    bool is_too_large;
    bool is_broken; /* nothing more can be said to the client */
    int status;
    double begin;
};

struct reply {
    int status;
    const char *type;
    char *text;           /* malloc'ed; or */
    unsigned char *bytes; // [size], malloc'ed; or
    int descriptor;       /* an open file of this size, unless 0 */
    size_t size;
    const char *tag;  /* tells browsers whether they have it already; or NULL */
    const char *rule; /* the Content-Security-Policy; NULL: nothing may run */
};
void server_reply(struct exchange *exchange, const struct reply *reply); /* takes what it sends over */
void server_refuse(struct exchange *exchange, int status, const char *problem);

void server_wait(struct exchange *exchange);
void server_wake(struct exchange *exchange); /* on any thread */

#endif
