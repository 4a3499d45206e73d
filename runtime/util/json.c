#include "runtime/util/json.h"
#include "runtime/util/file.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_LIMIT = 64 << 20 };

/* Tokenizer configurations say model_max_length = 10^30. Such a file is read with all its integers as reals. */
static json_t *parse(const char *text, size_t size, json_error_t *where)
{
    json_t *root = json_loadb(text, size, 0, where);
    if (!root && json_error_code(where) == json_error_numeric_overflow)
        root = json_loadb(text, size, JSON_DECODE_INT_AS_REAL, where);
    return root;
}

int json_read_large(json_t **root, const char *path, size_t limit, struct error *err)
{
    char *text;
    size_t size;
    if (file_read(&text, &size, path, limit, err) != 0)
        return -1;
    json_error_t where;
    *root = parse(text, size, &where);
    free(text);
    if (!*root)
        return error_set(err, EXIT_BAD_DATA, "%s:%d:%d: not JSON: %s", path, where.line, where.column, where.text);
    if (!json_is_object(*root)) {
        json_decref(*root);
        *root = NULL;
        return error_set(err, EXIT_BAD_DATA, "%s: the JSON in it is not an object ({...})", path);
    }
    return 0;
}

int json_read(json_t **root, const char *path, struct error *err)
{
    return json_read_large(root, path, FILE_LIMIT, err);
}

int json_write(const json_t *root, const char *path, struct error *err)
{
    struct file_writer writer;
    if (file_create(&writer, path, err) != 0)
        return -1;
    char *text = json_dumps(root, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
    CHECK(text, "%s: this value cannot be written as JSON", path);
    file_write(&writer, text, strlen(text));
    file_write(&writer, "\n", 1);
    free(text);
    return file_commit(&writer, err);
}

/* True if the value is a whole number that fits an int; 12.0 counts. */
static bool whole_number(int *number, const json_t *value)
{
    double real = json_is_number(value) ? json_number_value(value) : NAN;
    if (!(real >= INT_MIN && real <= INT_MAX) || real != floor(real))
        return false;
    *number = (int)real;
    return true;
}

int json_int_or(const json_t *object, const char *key, int otherwise)
{
    int number;
    return whole_number(&number, json_object_get(object, key)) ? number : otherwise;
}

double json_real_or(const json_t *object, const char *key, double otherwise)
{
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : otherwise;
}

bool json_bool_or(const json_t *object, const char *key, bool otherwise)
{
    const json_t *value = json_object_get(object, key);
    return json_is_boolean(value) ? json_is_true(value) : otherwise;
}

const char *json_text_or(const json_t *object, const char *key, const char *otherwise)
{
    const json_t *value = json_object_get(object, key);
    return json_is_string(value) ? json_string_value(value) : otherwise;
}

int json_need_int(int *value, const json_t *object, const char *key, int low, int high, const char *path,
                  struct error *err)
{
    const json_t *member = json_object_get(object, key);
    if (!member)
        return error_set(err, EXIT_BAD_DATA, "%s: \"%s\" is missing; it must be a whole number from %d to %d", path,
                         key, low, high);
    if (!whole_number(value, member) || *value < low || *value > high)
        return error_set(err, EXIT_BAD_DATA, "%s: \"%s\" must be a whole number from %d to %d", path, key, low, high);
    return 0;
}
