/* Qdrant's points, one a line: what stands in the "points" of PUT /collections/NAME/points. */
#include "tools/export_format.h"

static void write_points(FILE *stream, const struct exported *exported)
{
    char id[EXPORT_ID];
    for (size_t i = 0; i < exported->gallery->paths.count; i++) {
        export_id(id, exported->gallery->paths.items[i]);
        fprintf(stream, "{\"id\":\"%s\",\"vector\":", id);
        export_vector(stream, exported, i);
        fputs(",\"payload\":{", stream);
        export_members(stream, export_facts(exported, i));
        fputs("}}\n", stream);
    }
}

/* The body of PUT /collections/NAME. */
static void write_collection(FILE *stream, const struct exported *exported)
{
    fprintf(stream, "{\"vectors\":{\"size\":%zu,\"distance\":\"Cosine\"}}\n", exported->gallery->dim);
}

const struct export_format export_qdrant = {"qdrant", NULL, NULL, write_points, write_collection};
