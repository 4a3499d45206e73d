#include "tools/routes.h"

#include "models/images/thumbnail.h"
#include "tools/request.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { THUMBNAIL_SIDE = 320, TAG = HASH_TEXT + 8 };

static const char type_json[] = "application/json";

/* ---- questions: POST with a JSON object ---- */

static void wake(struct ask *ask)
{
    server_wake(ask->context);
}

static void free_ask(void *state)
{
    ask_free(state);
}

static void begin_ask(struct exchange *exchange, const struct gallery_service *context, bool searches)
{
    struct error err;
    struct ask *ask = ask_new();
    exchange->state = ask;
    if (request_read(ask, exchange->body ? exchange->body : "", exchange->size, context->clip, context->pictures,
                     &err) != 0) {
        server_refuse(exchange, 400, err.text);
        return;
    }
    ask->searches = searches;
    ask->done = wake;
    ask->context = exchange;
    server_wait(exchange);
    if (service_take(context->service, ask))
        return;
    ask->outcome = ASK_FAILED;
    ask->problem = mem_format("too many requests wait; try again later");
    server_wake(exchange);
}

static void answer_ask(struct exchange *exchange, const void *context, bool searches)
{
    const struct gallery_service *gallery = context;
    struct ask *ask = exchange->state;
    if (!ask)
        begin_ask(exchange, gallery, searches);
    else if (ask->outcome != ASK_ANSWERED)
        server_refuse(exchange, ask->outcome == ASK_REFUSED ? 400 : 503, ask->problem);
    else
        server_reply(exchange, &(struct reply){.status = 200,
                                               .type = type_json,
                                               .text = searches ? request_found(ask, gallery->folder_length)
                                                                : request_embedding(ask, gallery->pictures->dim)});
}

static void answer_search(struct exchange *exchange, const void *context)
{
    answer_ask(exchange, context, true);
}

static void answer_embed(struct exchange *exchange, const void *context)
{
    answer_ask(exchange, context, false);
}

/* ---- pictures: by number, so that no path comes from outside ---- */

/* False when it was refused. */
static bool read_row(size_t *row, struct exchange *exchange, const struct gallery_service *gallery)
{
    size_t length = strlen(exchange->rest);
    bool is_number = length > 0 && length < 10 && strspn(exchange->rest, "0123456789") == length;
    *row = is_number ? strtoul(exchange->rest, NULL, 10) : 0;
    if (is_number && *row < gallery->pictures->names.count)
        return true;
    server_refuse(exchange, 404, "no photo has this id");
    return false;
}

/* Tells versions of a picture apart; true when the browser has this one, and was told so. */
static bool is_known(char tag[TAG], struct exchange *exchange, const struct photo *photo, const char *form)
{
    char hash[HASH_TEXT];
    hash_text(hash, photo->hash);
    snprintf(tag, TAG, "\"%s%s\"", hash, form);
    if (!exchange->known || strcmp(exchange->known, tag) != 0)
        return false;
    server_reply(exchange, &(struct reply){.status = 304, .tag = tag});
    return true;
}

static void answer_thumbnail(struct exchange *exchange, const void *context)
{
    const struct gallery_service *gallery = context;
    struct thumbnail thumbnail;
    struct error err;
    size_t row;
    char tag[TAG];
    if (!read_row(&row, exchange, gallery) || is_known(tag, exchange, &gallery->pictures->photos[row], "-small"))
        return;
    if (thumbnail_make(&thumbnail, gallery->pictures->names.items[row], THUMBNAIL_SIDE, &err) != 0)
        server_refuse(exchange, 404, "the photo cannot be read any more");
    else
        server_reply(
            exchange,
            &(struct reply){
                .status = 200, .type = thumbnail.type, .bytes = thumbnail.bytes, .size = thumbnail.size, .tag = tag});
}

/* What browsers show, told by the first bytes; anything else is saved, never shown. */
static const char *type_of(int descriptor)
{
    static const struct {
        const char *type, *magic;
        size_t offset, length;
    } kinds[] = {{"image/jpeg", "\xFF\xD8\xFF", 0, 3},
                 {"image/png", "\x89PNG\r\n\x1A\n", 0, 8},
                 {"image/gif", "GIF8", 0, 4},
                 {"image/webp", "WEBP", 8, 4},
                 {"image/bmp", "BM", 0, 2}};
    char head[12] = {0};
    if (pread(descriptor, head, sizeof head, 0) == sizeof head)
        for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
            if (memcmp(head + kinds[i].offset, kinds[i].magic, kinds[i].length) == 0)
                return kinds[i].type;
    return "application/octet-stream";
}

static void answer_picture(struct exchange *exchange, const void *context)
{
    const struct gallery_service *gallery = context;
    struct stat status;
    size_t row;
    char tag[TAG];
    if (!read_row(&row, exchange, gallery) || is_known(tag, exchange, &gallery->pictures->photos[row], ""))
        return;
    int descriptor = open(gallery->pictures->names.items[row], O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (descriptor >= 0 && fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode)) {
        server_reply(exchange, &(struct reply){.status = 200,
                                               .type = type_of(descriptor),
                                               .descriptor = descriptor,
                                               .size = (size_t)status.st_size,
                                               .tag = tag});
        return;
    }
    if (descriptor >= 0)
        close(descriptor);
    server_refuse(exchange, 404, "the photo is gone");
}

/* ---- the rest ---- */

static void answer_page(struct exchange *exchange, const void *context)
{
    (void)context;
    server_reply(exchange,
                 &(struct reply){.status = 200,
                                 .type = "text/html; charset=utf-8",
                                 .text = mem_format("%s", serve_page),
                                 .rule = "default-src 'none'; img-src 'self' blob: data:; connect-src 'self'; "
                                         "style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
                                         "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"});
}

static void answer_health(struct exchange *exchange, const void *context)
{
    const struct gallery_service *gallery = context;
    if (service_has_failed(gallery->service))
        server_refuse(exchange, 503, "the device failed");
    else
        server_reply(exchange,
                     &(struct reply){.status = 200,
                                     .type = type_json,
                                     .text = mem_format("{\"status\":\"ok\",\"photos\":%zu,\"dim\":%zu}",
                                                        gallery->pictures->names.count, gallery->pictures->dim)});
}

static void answer_metrics(struct exchange *exchange, const void *context)
{
    const struct gallery_service *gallery = context;
    char *text = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&text, &size);
    CHECK(memory, "no memory for the metrics");
    fprintf(memory, "# HELP oclip_photos Photos that can be found.\n# TYPE oclip_photos gauge\noclip_photos %zu\n",
            gallery->pictures->names.count);
    metrics_write(memory, gallery->metrics);
    CHECK(fclose(memory) == 0, "no memory for the metrics");
    server_reply(exchange, &(struct reply){.status = 200, .type = "text/plain; version=0.0.4", .text = text});
}

const struct route routes[] = {
    {"/", "GET", ROUTE_ENTRANCE, answer_page, NULL},
    {"/knn-service", "POST", 0, answer_search, free_ask},
    {"/embed", "POST", 0, answer_embed, free_ask},
    {"/health", "GET", ROUTE_OPEN, answer_health, NULL},
    {"/metrics", "GET", 0, answer_metrics, NULL},
    {"/thumb/", "GET", ROUTE_PREFIX, answer_thumbnail, NULL},
    {"/picture/", "GET", ROUTE_PREFIX, answer_picture, NULL},
    {0},
};
