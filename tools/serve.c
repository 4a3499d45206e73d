/* Serves the search of a folder of pictures over HTTP: JSON for programs, a page for people. */
#include "tools/guard.h"
#include "tools/pictures.h"
#include "tools/routes.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

struct settings {
    struct session session;
    struct gallery_options gallery;
    struct ann_options ann;
    const char *host, *token;
    int port, clients, body_mib;
};

static int check_settings(const struct settings *s, struct error *err)
{
    if (s->token && !guard_is_token(s->token))
        return error_set(err, EXIT_USAGE, "--token: must be at least 8 letters, digits and -._~");
    if (!s->gallery.folder)
        return error_set(err, EXIT_USAGE, "nothing to search in: give --gallery DIR");
    return 0;
}

static int read_settings(struct settings *s, int argc, char **argv, struct error *err)
{
    const struct option_row rows[] = {
        GALLERY_OPTIONS(s->gallery),
        ANN_OPTIONS(s->ann),
        {"host", OPTION_TEXT, &s->host, "ADDRESS", "to listen on; beyond this machine it takes a token", 0},
        {"port", OPTION_INT, &s->port, "N", "to listen on; 0: any that is free", 'p'},
        {"token", OPTION_TEXT, &s->token, "TOKEN",
         "that clients must have; other users see it here, not in OCLIP_TOKEN", 0},
        {"clients", OPTION_INT, &s->clients, "N in [4, 65536]", "connections at once", 0},
        {"max-body", OPTION_INT, &s->body_mib, "MIB in [1, 1024]", "of a request", 0},
        SESSION_OPTIONS(s->session),
        {0}};
    int first = options_parse("serve", "--gallery DIR", "Serves the search of a folder of pictures over HTTP.", rows,
                              argc, argv, err);
    if (first < 0 || check_settings(s, err) != 0)
        return -1;
    return first == argc ? 0 : error_set(err, EXIT_USAGE, "%s: serve takes no words", argv[first]);
}

static volatile sig_atomic_t stop_requested;
static void request_stop(int signal_number)
{
    (void)signal_number;
    stop_requested = 1;
}

/* Any thread may take them, the driver's too. A second one ends the program at once. */
static void take_signals(void)
{
    struct sigaction action = {.sa_handler = request_stop, .sa_flags = SA_RESTART | SA_RESETHAND};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
}

static void wait_for_end(struct server *server, struct service *service)
{
    while (!stop_requested && !service_has_failed(service)) {
        nanosleep(&(struct timespec){.tv_sec = 1}, NULL); /* a signal ends it early */
        server_look_after(server);
    }
}

static int run(const struct settings *s, const struct collection *pictures, struct error *err)
{
    size_t length = strlen(s->gallery.folder), folder_length = length + (s->gallery.folder[length - 1] != '/');
    struct metrics *metrics = metrics_new();
    struct service_options options = {.clip = s->session.clip,
                                      .pictures = pictures,
                                      .folder_length = folder_length,
                                      .encode = session_encode(&s->session, ENCODE_EMBEDDINGS, "queries")};
    options.encode.quiet = true;
    struct gallery_service context = {.clip = s->session.clip,
                                      .pictures = pictures,
                                      .folder_length = folder_length,
                                      .service = service_open(&options, metrics),
                                      .metrics = metrics};
    struct server_options listening = {.host = s->host,
                                       .port = s->port,
                                       .token = s->token,
                                       .clients = s->clients,
                                       .body_max = (size_t)s->body_mib << 20,
                                       .routes = routes,
                                       .context = &context};
    struct server *server = NULL;
    struct error failure;
    take_signals(); /* until now they end the program: an index loses nothing */
    int result = server_open(&server, &listening, metrics, err);
    if (result == 0) {
        puts(server_url(server));
        fflush(stdout);
        wait_for_end(server, context.service);
        server_quiesce(server);
        service_stop(context.service); /* a server that closes may have no client waiting */
    }
    server_close(server);
    if (service_close(context.service, &failure) != 0 && result == 0) {
        *err = failure;
        result = -1;
    }
    metrics_free(metrics);
    return result;
}

static int serve(const struct settings *s, struct error *err)
{
    struct collection pictures;
    if (pictures_open(&pictures, &s->session, &s->gallery, &s->ann, err) != 0)
        return -1;
    int result = run(s, &pictures, err);
    collection_free(&pictures);
    return result;
}

int main(int argc, char **argv)
{
    struct error err = {0};
    struct settings s = {.session.stores_half = true,
                         .ann.from = ANN_FROM,
                         .host = "127.0.0.1",
                         .port = 8080,
                         .clients = 256,
                         .body_mib = 16};
    if (read_settings(&s, argc, argv, &err) != 0 || session_open(&s.session, &err) != 0)
        return error_report(&err);
    int result = serve(&s, &err);
    session_close(&s.session);
    return result == 0 ? EXIT_OK : error_report(&err);
}
