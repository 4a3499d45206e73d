/* What clients of the server say in JSON, and what they hear. The words are clip-retrieval's, and a few more.
 *
 *     struct ask *ask = ask_new();
 *     if (request_read(ask, body, size, clip, &pictures, &err) != 0) ...     // err.text is for the client
 *     ... the service answers ...
 *     char *text = request_found(ask);                                       // or request_embedding(ask, dim)
 *
 * A request is an object. What is looked for is the sum of "text" (the query grammar, files aside), "image" (a picture
 * in base64), "embedding_input" (numbers) and "like" (a photo's id). "num_images" are described, "num_result_ids" are
 * found; "deduplicate" is true unless given, "min_score" is "none", "auto" or a number; "filter" holds "path", "after",
 * "before", "orientation", "min_width" and "min_height". Null is the same as absent; other words are passed over.
 */
#ifndef OCLIP_REQUEST_H
#define OCLIP_REQUEST_H

#include "tools/service.h"

/* body [size]; decodes the picture. */
int request_read(struct ask *ask, const char *body, size_t size, const struct clip *clip,
                 const struct collection *pictures, struct error *err) MUST_CHECK;

/* JSON; the caller frees. folder_length: of the part of each path that is left out. */
char *request_found(const struct ask *ask, size_t folder_length);
char *request_embedding(const struct ask *ask, size_t dim);

#endif
