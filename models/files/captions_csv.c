#include "models/files/captions_kinds.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { ROW_LIMIT = 1 << 16, MAX_COLUMNS = 64 };
static const uint64_t file_limit = UINT64_C(4) << 30;
static const char separators[] = ",|;\t";

static const char *const image_names[] = {"image", "image_name", "filename", "file", "filepath", "img", NULL};
static const char *const caption_names[] = {"caption", "comment", "text", "title", NULL};
static const char picture_endings[] = ".jpg .jpeg .png .webp .bmp .gif .tif .tiff .tga .ppm .pgm .pnm .psd";

/* The text of the table and how it is cut into rows. */
struct scanner {
    const unsigned char *at, *end;
    long line;      /* of `at`, from 1 */
    char separator; /* of columns */
    bool quotes;    /* a quote that begins a field is RFC 4180's */
    int columns;    /* the last one takes what is left of its row */
};

struct row {
    char text[ROW_LIMIT + MAX_COLUMNS]; /* the fields, each with its NUL */
    size_t used;
    char *field[MAX_COLUMNS]; // [count]
    int count;
    long line;   /* where it begins */
    bool broken; /* too long, holds a NUL, or a quote is never closed */
};

/* What a table's first row says of it. */
struct layout {
    int image, caption; /* columns */
    bool header;
};

static void row_put(struct row *row, unsigned char letter)
{
    if (row->used >= ROW_LIMIT || letter == '\0')
        row->broken = true;
    else
        row->text[row->used++] = (char)letter;
}

static void row_begin_field(struct row *row)
{
    row->field[row->count++] = row->text + row->used;
}

/* Closes the field and drops the blanks around it. */
static void row_end_field(struct row *row)
{
    char *begin = row->field[row->count - 1], *end = row->text + row->used;
    while (end > begin && isspace((unsigned char)end[-1]))
        end--;
    *end = '\0';
    row->used = (size_t)(end - row->text) + 1;
    row->field[row->count - 1] = begin + strspn(begin, " \t\r\n\v\f");
}

/* A broken row ends with its first line, so that one stray quote does not swallow the rows after it. */
static void scan_past_line(struct scanner *scan, const unsigned char *begin, long line)
{
    const unsigned char *newline = memchr(begin, '\n', (size_t)(scan->end - begin));
    scan->at = newline ? newline + 1 : scan->end;
    scan->line = line + 1;
}

/* Cuts off the next row; false at the end of the text. */
static bool scan_row(struct row *row, struct scanner *scan)
{
    const unsigned char *begin = scan->at;
    row->used = 0;
    row->count = 0;
    row->line = scan->line;
    row->broken = false;
    if (begin == scan->end)
        return false;

    bool quoted = false, ended = false;
    row_begin_field(row);
    while (!ended && !row->broken && scan->at < scan->end) {
        unsigned char letter = *scan->at++;
        scan->line += letter == '\n';
        if (quoted && letter == '"') {
            quoted = scan->at < scan->end && *scan->at == '"';
            if (quoted)
                row_put(row, *scan->at++);
        } else if (quoted) {
            row_put(row, letter);
        } else if (letter == '\n') {
            ended = true;
        } else if (letter == (unsigned char)scan->separator && row->count < scan->columns) {
            row_end_field(row);
            row_begin_field(row);
        } else if (letter == '"' && scan->quotes && row->text + row->used == row->field[row->count - 1]) {
            quoted = true;
        } else {
            row_put(row, letter);
        }
    }
    row_end_field(row);
    row->broken |= quoted;
    if (row->broken)
        scan_past_line(scan, begin, row->line);
    return true;
}

static bool row_is_empty(const struct row *row)
{
    return !row->broken && row->count == 1 && row->field[0][0] == '\0';
}

/* The separator that comes first in the line, outside quotes; a comma when there is none. */
static char find_separator(const struct scanner *scan)
{
    bool quoted = false;
    for (const unsigned char *at = scan->at; at < scan->end && *at != '\n'; at++) {
        quoted ^= *at == '"';
        if (!quoted && *at && strchr(separators, *at))
            return (char)*at;
    }
    return ',';
}

/* Flickr8k numbers a photo's captions: name.jpg#0. */
static void strip_number(char *name)
{
    char *mark = strrchr(name, '#');
    if (mark && mark[1] && mark[1 + strspn(mark + 1, "0123456789")] == '\0')
        *mark = '\0';
}

static bool is_picture_name(char *name)
{
    strip_number(name);
    return file_has_extension(name, picture_endings);
}

/* The column called `key`, or, without a key, one of the usual `names`; -1 when there is none. */
static int find_column(const struct row *header, const char *key, const char *const *names)
{
    for (int i = 0; key && i < header->count; i++)
        if (strcmp(header->field[i], key) == 0)
            return i;
    for (; !key && *names; names++)
        for (int i = 0; i < header->count; i++)
            if (strcasecmp(header->field[i], *names) == 0)
                return i;
    return -1;
}

static int refuse_header(const struct row *header, const char *path, const struct captions_format *format,
                         struct error *err)
{
    char *columns = mem_format("%s", header->field[0]);
    for (int i = 1; i < header->count; i++) {
        char *longer = mem_format("%s, %s", columns, header->field[i]);
        free(columns);
        columns = longer;
    }
    error_set(err, EXIT_BAD_DATA,
              "%s: line %ld names no column of %s%s%s; it names: %.1000s (choose with --csv-img-key, "
              "--csv-caption-key and --csv-separator)",
              path, header->line, format->image_key ? format->image_key : "images",
              format->caption_key ? " and " : " and captions", format->caption_key ? format->caption_key : "", columns);
    free(columns);
    return -1;
}

/* Reads the first row that is not empty, sets how the others are cut, and leaves `scan` at the first row of data. */
static int read_layout(struct layout *layout, struct scanner *scan, struct row *row, const char *path,
                       const struct captions_format *format, struct error *err)
{
    struct scanner first;
    do {
        first = *scan;
        scan->separator = format->separator ? format->separator : find_separator(scan);
        scan->quotes = scan->separator != '|';
        scan->columns = MAX_COLUMNS;
        if (!scan_row(row, scan))
            return error_set(err, EXIT_BAD_DATA, "%s: holds no captions", path);
    } while (row_is_empty(row));

    *layout = (struct layout){.image = find_column(row, format->image_key, image_names),
                              .caption = find_column(row, format->caption_key, caption_names),
                              .header = true};
    scan->columns = row->count;
    if (layout->image >= 0 && layout->caption >= 0 && layout->image != layout->caption)
        return 0;

    if (format->image_key || format->caption_key || row->count < 2 || !is_picture_name(row->field[0]))
        return refuse_header(row, path, format, err);
    *layout = (struct layout){.image = 0, .caption = 1};
    scan->at = first.at;
    scan->line = first.line;
    scan->columns = 2;
    scan->quotes = scan->separator == ',' || scan->separator == ';';
    return 0;
}

static int read_rows(struct captions_reader *reader, struct scanner *scan, struct row *row, const struct layout *layout,
                     struct error *err)
{
    int last = layout->image > layout->caption ? layout->image : layout->caption, result = 0;
    while (result == 0 && scan_row(row, scan)) {
        char where[1100];
        if (row_is_empty(row))
            continue;
        snprintf(where, sizeof where, "%.1000s:%ld", reader->path, row->line);
        if (row->broken || row->count <= last) {
            captions_skip(reader, "%s: %s", where,
                          row->broken ? "too long, holds a zero byte, or a quote in it is never closed"
                                      : "lacks a column");
            continue;
        }
        if (!layout->header)
            strip_number(row->field[layout->image]);
        result = captions_add(reader, where, row->field[layout->image], row->field[layout->caption], err);
    }
    return result;
}

static int read_map(struct captions_reader *reader, const struct file_map *map, struct error *err)
{
    if (map->size > file_limit)
        return error_set(err, EXIT_BAD_DATA, "%s: a table of more than 4 GiB is not read; split it", reader->path);
    if (map->size == 0)
        return error_set(err, EXIT_BAD_DATA, "%s: the file is empty", reader->path);
    static const char byte_order_mark[] = "\xef\xbb\xbf";
    bool marked = map->size >= 3 && memcmp(map->data, byte_order_mark, 3) == 0;
    struct scanner scan = {.at = map->data + (marked ? 3 : 0), .end = map->data + map->size, .line = 1};
    struct row *row = mem_new(1, sizeof *row);
    struct layout layout = {0};
    int result = read_layout(&layout, &scan, row, reader->path, reader->format, err);
    if (result == 0)
        result = read_rows(reader, &scan, row, &layout, err);
    free(row);
    return result;
}

static int read_table(struct captions_reader *reader, struct error *err)
{
    struct file_map map;
    if (file_map(&map, reader->path, err) != 0)
        return -1;
    int result = read_map(reader, &map, err);
    file_unmap(&map);
    return result;
}

static bool is_table(const char *path)
{
    (void)path;
    return true;
}

const struct captions_kind captions_csv = {"csv", is_table, read_table};
