/* Which file of a model folder holds the weights: safetensors_open_folder. */
#include "models/files/safetensors.h"
#include "runtime/util/file.h"
#include "runtime/util/json.h"

#include <glob.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_SHARDS = 1000 };

/* ---- an index and its shards ---- */

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The distinct files that the index names; none may lead out of the folder. */
static int list_shards(struct string_list *paths, const json_t *map, const char *folder, const char *index,
                       struct error *err)
{
    size_t count = json_object_size(map), used = 0;
    const char **files = mem_new(count, sizeof *files), *name; // [count]; with repetitions
    json_t *file;
    int result = 0;
    json_object_foreach((json_t *)(size_t)map, name, file)
    {
        files[used] = json_string_value(file);
        if (!files[used] || strchr(files[used], '/')) {
            result =
                error_set(err, EXIT_BAD_DATA, "%s: weight_map gives tensor %s no file of this folder", index, name);
            break;
        }
        used++;
    }
    if (used)
        qsort(files, used, sizeof *files, compare_texts);
    for (size_t i = 0; result == 0 && i < used; i++) {
        if (i > 0 && strcmp(files[i], files[i - 1]) == 0)
            continue;
        char *path = path_join(folder, files[i]);
        string_list_add(paths, path);
        free(path);
    }
    free(files);
    if (result == 0 && (paths->count == 0 || paths->count > MOST_SHARDS))
        return error_set(err, EXIT_BAD_DATA, "%s: weight_map names %zu files; expected 1 to %d", index, paths->count,
                         MOST_SHARDS);
    return result;
}

/* Every tensor that the index promises must be there; where it stands is known from the shards themselves. */
static int check_index(const struct safetensors *file, const json_t *map, const char *index, struct error *err)
{
    const char *name;
    json_t *shard;
    json_object_foreach((json_t *)(size_t)map, name, shard)
    {
        if (!safetensors_find(file, name))
            return error_set(err, EXIT_BAD_DATA, "%s: tensor %s is not in %s", index, name, json_string_value(shard));
    }
    return 0;
}

static int open_index(struct safetensors **file, const char *index, const char *folder, struct error *err)
{
    json_t *root;
    if (json_read(&root, index, err) != 0)
        return -1;
    const json_t *map = json_object_get(root, "weight_map");
    struct string_list paths = {0};
    int result = list_shards(&paths, map, folder, index, err);
    if (result == 0)
        result = safetensors_open_shards(file, (const char *const *)paths.items, (int)paths.count, err);
    if (result == 0 && (result = check_index(*file, map, index, err)) != 0)
        safetensors_close(*file);
    string_list_free(&paths);
    json_decref(root);
    return result;
}

/* ---- pickles ---- */

/* The first PyTorch pickle of a folder, most likely names first; NULL when there is none. Caller frees. */
static char *find_pickle(const char *folder)
{
    static const char *const patterns[] = {"pytorch_model.bin", "*pytorch_model.bin", "*.bin", "*.pt", "*.pth"};
    char *found = NULL;
    for (size_t i = 0; !found && i < sizeof patterns / sizeof *patterns; i++) {
        char *pattern = path_join(folder, patterns[i]);
        glob_t matches;
        if (glob(pattern, GLOB_NOESCAPE, NULL, &matches) == 0)
            found = mem_format("%s", matches.gl_pathv[0]);
        globfree(&matches);
        free(pattern);
    }
    return found;
}

int safetensors_refuse_pickle(const char *pickle, const char *folder, struct error *err)
{
    return error_set(err, EXIT_BAD_DATA,
                     "%s: a PyTorch pickle, which can run code, and there is no model.safetensors beside it; if you "
                     "trust it, convert it: python -c \"import torch, safetensors.torch as s; "
                     "d = torch.load('%s', map_location='cpu', weights_only=True); d = d.get('state_dict', d); "
                     "s.save_file({k: v.clone().contiguous() for k, v in d.items() if torch.is_tensor(v)}, "
                     "'%s/model.safetensors')\"",
                     pickle, pickle, folder);
}

/* No weights that can be read: says what to do about those that cannot. */
static int refuse_folder(const char *folder, struct error *err)
{
    char *pickle = find_pickle(folder);
    if (!file_is_folder(folder))
        error_set(err, EXIT_BAD_DATA, "%s: no such folder", folder);
    else if (!pickle)
        error_set(err, EXIT_BAD_DATA, "%s: no model.safetensors in this folder", folder);
    else
        safetensors_refuse_pickle(pickle, folder, err);
    free(pickle);
    return -1;
}

/* ---- the folder ---- */

static int open_file(struct safetensors **file, const char *path, const char *folder, struct error *err)
{
    (void)folder;
    return safetensors_open(file, path, err);
}

int safetensors_open_folder(struct safetensors **file, const char *folder, struct error *err)
{
    static const struct {
        const char *name;
        int (*open)(struct safetensors **file, const char *path, const char *folder, struct error *err);
    } sources[] = {
        {"model.safetensors", open_file},
        {"model.safetensors.index.json", open_index},
        {"open_clip_model.safetensors", open_file},
    };
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
        char *path = path_join(folder, sources[i].name);
        bool exists = file_exists(path);
        int result = exists ? sources[i].open(file, path, folder, err) : 0;
        free(path);
        if (exists)
            return result;
    }
    return refuse_folder(folder, err);
}
