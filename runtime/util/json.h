/* Reading other people's JSON (jansson underneath) with errors that name the file and the key.
 *
 *     json_t *config;
 *     if (json_read(&config, "model/config.json", &err) != 0) return -1;
 *     int width = json_int_or(config, "hidden_size", 768);
 *     if (json_need_int(&layers, config, "num_hidden_layers", 1, 1000, path, &err) != 0) ...
 *     json_decref(config);
 */
#ifndef OCLIP_JSON_H
#define OCLIP_JSON_H

#include "runtime/util/error.h"

#include <jansson.h>
#include <stdbool.h>

/* Parses a file of at most 64 MiB whose root is an object; caller drops the reference. */
int json_read(json_t **root, const char *path, struct error *err) MUST_CHECK;

/* The same for a file of at most `limit` bytes. */
int json_read_large(json_t **root, const char *path, size_t limit, struct error *err) MUST_CHECK;

/* Writes a file atomically, indented by two, keys in insertion order. */
int json_write(const json_t *root, const char *path, struct error *err) MUST_CHECK;

/* The member, or the default when it is absent, null or of another type. Text belongs to the object.
 * A whole real such as 12.0 counts as an integer, an int only if it fits. */
int json_int_or(const json_t *object, const char *key, int otherwise);
double json_real_or(const json_t *object, const char *key, double otherwise); /* integers count as reals */
bool json_bool_or(const json_t *object, const char *key, bool otherwise);
const char *json_text_or(const json_t *object, const char *key, const char *otherwise);

/* A member that must be there and lie in [low, high]. */
int json_need_int(int *value, const json_t *object, const char *key, int low, int high, const char *path,
                  struct error *err) MUST_CHECK;

#endif
