/* Milvus' bulk import in JSON: an object of "rows" (milvus.io/docs, "Insert Entities from Files"). What the collection
 * has no field for, all but id and vector, goes to its dynamic field. */
#include "tools/export_format.h"

static void write_entity(FILE *stream, const struct exported *exported, size_t i)
{
    char id[EXPORT_ID];
    export_id(id, exported->gallery->paths.items[i]);
    json_t *facts = export_facts(exported, i);
    json_object_set_new(facts, "id", json_string(id));
    fputs("{\"vector\":", stream);
    export_vector(stream, exported, i);
    fputc(',', stream);
    export_members(stream, facts);
    fputc('}', stream);
}

static void write_entities(FILE *stream, const struct exported *exported)
{
    fputs("{\"rows\":[\n", stream);
    for (size_t i = 0; i < exported->gallery->paths.count; i++) {
        fputs(i ? ",\n" : "", stream);
        write_entity(stream, exported, i);
    }
    fputs("\n]}\n", stream);
}

/* The body of POST /v2/vectordb/collections/create. */
static void write_collection(FILE *stream, const struct exported *exported)
{
    json_t *id = json_pack("{s:s, s:s, s:b, s:{s:i}}", "fieldName", "id", "dataType", "VarChar", "isPrimary", 1,
                           "elementTypeParams", "max_length", EXPORT_ID - 1);
    json_t *vector = json_pack("{s:s, s:s, s:{s:I}}", "fieldName", "vector", "dataType", "FloatVector",
                               "elementTypeParams", "dim", (json_int_t)exported->gallery->dim);
    json_t *index = json_pack("{s:s, s:s, s:s, s:s}", "fieldName", "vector", "indexName", "vector", "metricType",
                              "COSINE", "indexType", "AUTOINDEX");
    json_t *collection = json_pack("{s:s, s:{s:b, s:b, s:[o, o]}, s:[o]}", "collectionName", exported->name, "schema",
                                   "autoId", 0, "enableDynamicField", 1, "fields", id, vector, "indexParams", index);
    fputc('{', stream);
    export_members(stream, collection);
    fputs("}\n", stream);
}

const struct export_format export_milvus = {"milvus", NULL, NULL, write_entities, write_collection};
