/* JSON lines out.
 *
 *     json_t *object = json_pack("{s:o}", "class", text_json("Hats"));
 *     text_print_json(object);                                    // one line on stdout; takes the reference
 */
#ifndef OCLIP_TEXT_H
#define OCLIP_TEXT_H

#include "runtime/util/json.h"

/* A JSON string; what is no UTF-8 (file names may be anything) becomes U+FFFD, a byte each. */
json_t *text_json(const char *text);

/* A score with six digits behind the point. */
json_t *text_json_score(double score);

void text_print_json(json_t *object);

#endif
