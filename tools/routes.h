/* The pages of tools/serve.
 *
 *     struct gallery_service context = {.clip = clip, .pictures = &pictures, .service = service, .metrics = metrics};
 *     struct server_options options = {.routes = routes, .context = &context, ...};
 */
#ifndef OCLIP_ROUTES_H
#define OCLIP_ROUTES_H

#include "tools/server.h"
#include "tools/service.h"

struct gallery_service {
    const struct clip *clip;
    const struct collection *pictures;
    size_t folder_length; /* of the part of each path that leads to the gallery, its slash included */
    struct service *service;
    struct metrics *metrics;
};

extern const struct route routes[];

extern const char serve_page[]; /* tools/serve.html, embedded when it is built */

#endif
