/* PostgreSQL's COPY in its text format (postgresql.org/docs, "COPY"), for a table with a column of pgvector's type. */
#include "tools/export_format.h"

#include "tools/text.h"

#include <string.h>

/* A backslash and the ends of columns and lines are written as two letters. */
static void write_text(FILE *stream, const char *text)
{
    static const char letters[] = "\\\t\n\r", names[] = "\\tnr";
    for (; *text; text++) {
        const char *letter = strchr(letters, *text);
        if (letter)
            fprintf(stream, "\\%c", names[letter - letters]);
        else
            fputc(*text, stream);
    }
}

/* The path as text, then as bytes where they are no text. */
static void write_path(FILE *stream, const char *path)
{
    json_t *clean = text_json(path);
    const char *text = json_string_value(clean);
    write_text(stream, text);
    if (strcmp(text, path) == 0)
        fputs("\t\\N", stream);
    else
        for (fputs("\t\\\\x", stream); *path; path++)
            fprintf(stream, "%02x", (unsigned char)*path);
    json_decref(clean);
}

static void write_copy(FILE *stream, const struct exported *exported)
{
    const struct gallery *gallery = exported->gallery;
    char id[EXPORT_ID], hash[HASH_TEXT];
    for (size_t i = 0; i < gallery->paths.count; i++) {
        const struct photo *photo = &gallery->photos[i];
        export_id(id, gallery->paths.items[i]);
        hash_text(hash, photo->hash);
        fprintf(stream, "%s\t", id);
        write_path(stream, gallery->paths.items[i]);
        fprintf(stream, "\t%d\t%d\t%s\t%s\t", photo->width, photo->height, hash,
                export_has_date(photo) ? photo->taken : "\\N");
        export_vector(stream, exported, i);
        fputc('\n', stream);
    }
}

/* A name between quotes, those in it doubled. */
static void write_name(FILE *stream, const char *name)
{
    fputc('"', stream);
    for (; *name; name++) {
        if (*name == '"')
            fputc('"', stream);
        fputc(*name, stream);
    }
    fputc('"', stream);
}

static void write_table(FILE *stream, const struct exported *exported)
{
    fputs("CREATE EXTENSION IF NOT EXISTS vector;\nCREATE TABLE ", stream);
    write_name(stream, exported->name);
    fprintf(stream,
            " (\n    id uuid PRIMARY KEY,\n    image_path text NOT NULL,\n    image_path_bytes bytea, -- where they "
            "are no UTF-8\n    width integer NOT NULL,\n    height integer NOT NULL,\n    hash text NOT NULL,\n    "
            "taken timestamp,\n    embedding vector(%zu) NOT NULL\n);\n",
            exported->gallery->dim);
}

const struct export_format export_pgvector = {"pgvector", NULL, NULL, write_copy, write_table};
