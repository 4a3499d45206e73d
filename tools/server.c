#include "tools/server.h"

#include "runtime/util/progress.h"
#include "tools/connections.h"
#include "tools/guard.h"
#include "tools/listener.h"
#include "tools/text.h"

#include <microhttpd.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    THREADS = 4, /* they read bodies and decode pictures; the device has its own */
    HEAD_MAX = 16 * 1024,
    IDLE_SECONDS = 15,    /* without a byte */
    REQUEST_SECONDS = 60, /* from first to last */
    FAREWELL_SECONDS = 5,
};
static const size_t bodies_max = 256 << 20; /* together */

struct server {
    struct server_options options;
    struct metrics *metrics;
    struct MHD_Daemon *daemon;
    struct connections *connections;
    char *url;
    bool is_local;
    atomic_size_t bodies; /* bytes of all that are held */
    atomic_int exchanges; /* on their way */
};

static const char *header(const struct exchange *exchange, const char *name)
{
    return MHD_lookup_connection_value(exchange->connection, MHD_HEADER_KIND, name);
}

/* ---- replies ---- */

static struct MHD_Response *response_of(const struct reply *reply)
{
    if (reply->descriptor)
        return MHD_create_response_from_fd64(reply->size, reply->descriptor);
    void *bytes = reply->text ? (void *)reply->text : reply->bytes;
    size_t size = reply->text ? strlen(reply->text) : reply->size;
    return MHD_create_response_from_buffer(size, bytes, MHD_RESPMEM_MUST_FREE);
}

static void send_response(struct exchange *exchange, int status, struct MHD_Response *response)
{
    exchange->status = status;
    exchange->is_broken = MHD_queue_response(exchange->connection, (unsigned)status, response) != MHD_YES;
    MHD_destroy_response(response);
}

void server_reply(struct exchange *exchange, const struct reply *reply)
{
    struct MHD_Response *response = response_of(reply);
    CHECK(response, "no memory for a reply");
    if (reply->type)
        MHD_add_response_header(response, "Content-Type", reply->type);
    if (reply->tag)
        MHD_add_response_header(response, "ETag", reply->tag);
    MHD_add_response_header(response, "Cache-Control", reply->tag ? "private, no-cache" : "no-store");
    MHD_add_response_header(response, "Content-Security-Policy", reply->rule ? reply->rule : "default-src 'none'");
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    MHD_add_response_header(response, "Referrer-Policy", "no-referrer");
    if (reply->status == 405)
        MHD_add_response_header(response, "Allow", exchange->route->method);
    if (reply->status == 401)
        MHD_add_response_header(response, "WWW-Authenticate", "Bearer");
    send_response(exchange, reply->status, response);
}

void server_refuse(struct exchange *exchange, int status, const char *problem)
{
    json_t *root = json_pack("{s:o}", "error", text_json(problem));
    char *text = json_dumps(root, JSON_COMPACT);
    json_decref(root);
    server_reply(exchange, &(struct reply){.status = status, .type = "application/json", .text = text});
}

/* ---- the head of a request ---- */

static const struct route *find_route(const char **rest, const struct route *routes, const char *path)
{
    for (const struct route *route = routes; route->path; route++) {
        size_t length = strlen(route->path);
        *rest = path + length;
        if (strncmp(path, route->path, length) == 0 && (**rest == '\0' || route->kind & ROUTE_PREFIX))
            return route;
    }
    return NULL;
}

static bool is_method_of(const struct route *route, const char *method)
{
    return strcmp(method, route->method) == 0 || (strcmp(method, "HEAD") == 0 && strcmp(route->method, "GET") == 0);
}

/* From ?token=TOKEN to a cookie, so that the token does not stay in the address. */
static bool enter(struct exchange *exchange)
{
    const char *token = exchange->server->options.token;
    const char *given = MHD_lookup_connection_value(exchange->connection, MHD_GET_ARGUMENT_KIND, "token");
    if (!token || !given || !(exchange->route->kind & ROUTE_ENTRANCE) || !guard_fits(token, NULL, given))
        return false;
    struct MHD_Response *response = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
    CHECK(response, "no memory for a reply");
    char *cookie = mem_format("oclip=%s; HttpOnly; SameSite=Strict; Path=/", token);
    MHD_add_response_header(response, "Set-Cookie", cookie);
    MHD_add_response_header(response, "Location", exchange->route->path);
    send_response(exchange, 303, response);
    free(cookie);
    return true;
}

/* False when it was refused. */
static bool check_sender(struct exchange *exchange)
{
    const struct server_options *options = &exchange->server->options;
    const char *host = header(exchange, "Host");
    const char *cookie = MHD_lookup_connection_value(exchange->connection, MHD_COOKIE_KIND, "oclip");
    if (exchange->server->is_local && !options->token && !guard_is_local(host))
        server_refuse(exchange, 403, "this server is asked as localhost or 127.0.0.1");
    else if (!guard_is_same_site(header(exchange, "Origin"), host))
        server_refuse(exchange, 403, "pages of other sites may not ask this server");
    else if (options->token && !(exchange->route->kind & ROUTE_OPEN) &&
             !guard_fits(options->token, header(exchange, "Authorization"), cookie))
        server_refuse(exchange, 401,
                      "a token is needed: \"Authorization: Bearer TOKEN\", or /?token=TOKEN in a browser");
    else
        return true;
    return false;
}

static void check_head(struct exchange *exchange, const char *path, const char *method)
{
    const struct server_options *options = &exchange->server->options;
    const char *length = header(exchange, "Content-Length");
    exchange->route = find_route(&exchange->rest, options->routes, path);
    exchange->known = header(exchange, "If-None-Match");
    if (!exchange->route)
        server_refuse(exchange, 404, "no such page");
    else if (enter(exchange) || !check_sender(exchange))
        return;
    else if (!is_method_of(exchange->route, method))
        server_refuse(exchange, 405, "this page has another method");
    else if (length && strtoull(length, NULL, 10) > options->body_max)
        server_refuse(exchange, 413, "the body is too large");
}

/* ---- its body ---- */

static void drop_body(struct exchange *exchange)
{
    atomic_fetch_sub(&exchange->server->bodies, exchange->room);
    free(exchange->body);
    exchange->body = NULL;
    exchange->size = exchange->room = 0;
}

/* Makes room for so many bytes more and a zero. */
static bool make_room(struct exchange *exchange, size_t count)
{
    size_t needed = exchange->size + count + 1, room = exchange->room ? exchange->room : 4096;
    while (room < needed)
        room *= 2;
    if (exchange->size + count > exchange->server->options.body_max)
        return false;
    if (room == exchange->room)
        return true;
    size_t more = room - exchange->room;
    if (atomic_fetch_add(&exchange->server->bodies, more) + more > bodies_max) {
        atomic_fetch_sub(&exchange->server->bodies, more);
        return false;
    }
    exchange->body = mem_grow(exchange->body, room, 1);
    exchange->room = room;
    return true;
}

/* What does not fit is read on and dropped: a reply can be sent only behind it. */
static void add_to_body(struct exchange *exchange, const char *bytes, size_t count)
{
    if (exchange->is_too_large || !make_room(exchange, count)) {
        exchange->is_too_large = true;
        drop_body(exchange);
        return;
    }
    memcpy(exchange->body + exchange->size, bytes, count);
    exchange->size += count;
    exchange->body[exchange->size] = '\0';
}

/* ---- from the first call to the last ---- */

static struct exchange *exchange_new(struct server *server, struct MHD_Connection *connection)
{
    struct exchange *exchange = mem_new(1, sizeof *exchange);
    *exchange = (struct exchange){.server = server, .connection = connection, .begin = clock_seconds()};
    atomic_fetch_add(&server->exchanges, 1);
    return exchange;
}

/* MHD calls this with the head, with each piece of the body, behind the body, and after each waiting. */
static enum MHD_Result take(void *context, struct MHD_Connection *connection, const char *path, const char *method,
                            const char *version, const char *bytes, size_t *count, void **state)
{
    struct exchange *exchange = *state;
    (void)version;
    if (!exchange) {
        *state = exchange = exchange_new(context, connection);
        check_head(exchange, path, method);
    } else if (exchange->status) {
        exchange->is_broken = true; /* it was answered, and the answer not taken */
    } else if (*count > 0) {
        add_to_body(exchange, bytes, *count);
        *count = 0;
    } else if (exchange->is_too_large) {
        server_refuse(exchange, 413, "the body is too large");
    } else {
        exchange->route->answer(exchange, exchange->server->options.context);
    }
    return exchange->is_broken ? MHD_NO : MHD_YES;
}

static void finish(void *context, struct MHD_Connection *connection, void **state, enum MHD_RequestTerminationCode code)
{
    struct server *server = context;
    struct exchange *exchange = *state;
    (void)code;
    connections_restart(server->connections, connection);
    if (!exchange)
        return;
    if (exchange->status)
        metrics_count_request(server->metrics, exchange->route ? exchange->route->path : "other", exchange->status,
                              clock_seconds() - exchange->begin);
    if (exchange->route && exchange->route->free_state)
        exchange->route->free_state(exchange->state);
    drop_body(exchange);
    free(exchange);
    *state = NULL;
    atomic_fetch_sub(&server->exchanges, 1);
}

void server_wait(struct exchange *exchange)
{
    MHD_suspend_connection(exchange->connection);
}

void server_wake(struct exchange *exchange)
{
    MHD_resume_connection(exchange->connection);
}

/* ---- the whole ---- */

static struct MHD_Daemon *start(struct server *server, int listener)
{
    return MHD_start_daemon(MHD_USE_AUTO_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, take, server,
                            MHD_OPTION_LISTEN_SOCKET, listener, MHD_OPTION_THREAD_POOL_SIZE, (unsigned)THREADS,
                            MHD_OPTION_CONNECTION_LIMIT, (unsigned)server->options.clients,
                            MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEAD_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
                            (unsigned)IDLE_SECONDS, MHD_OPTION_NOTIFY_COMPLETED, finish, server,
                            MHD_OPTION_NOTIFY_CONNECTION, connections_note, server->connections, MHD_OPTION_END);
}

int server_open(struct server **out, const struct server_options *options, struct metrics *metrics, struct error *err)
{
    struct listener listener;
    if (listener_open(&listener, options->host, options->port, err) != 0)
        return -1;
    if (!listener.is_local && !options->token) {
        listener_close(&listener);
        return error_set(err, EXIT_USAGE, "--host %s: others can reach it, so give a --token (or OCLIP_TOKEN)",
                         options->host);
    }
    struct server *server = mem_new(1, sizeof *server);
    *server = (struct server){.options = *options,
                              .metrics = metrics,
                              .connections = connections_new(),
                              .url = mem_format("%s", listener.url),
                              .is_local = listener.is_local};
    server->daemon = start(server, listener.socket);
    if (!server->daemon) {
        listener_close(&listener);
        server_close(server);
        return error_set(err, EXIT_FAILED, "the HTTP server cannot be started");
    }
    listener_release(&listener);
    *out = server;
    return 0;
}

const char *server_url(const struct server *server)
{
    return server->url;
}

void server_look_after(struct server *server)
{
    connections_cut(server->connections, REQUEST_SECONDS);
}

void server_quiesce(struct server *server)
{
    MHD_socket listener = MHD_quiesce_daemon(server->daemon);
    if (listener != MHD_INVALID_SOCKET)
        close(listener);
}

void server_close(struct server *server)
{
    if (!server)
        return;
    double end = clock_seconds() + FAREWELL_SECONDS;
    while (server->daemon && atomic_load(&server->exchanges) > 0 && clock_seconds() < end)
        nanosleep(&(struct timespec){.tv_nsec = 20 * 1000 * 1000}, NULL);
    if (server->daemon)
        MHD_stop_daemon(server->daemon);
    connections_free(server->connections);
    free(server->url);
    free(server);
}
