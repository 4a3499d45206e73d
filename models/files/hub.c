#include "models/files/hub.h"

#include "models/files/safetensors.h"
#include "runtime/util/file.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Caller frees. */
static char *cache_folder(void)
{
    static const struct {
        const char *variable, *below;
    } places[] = {{"HF_HUB_CACHE", ""}, {"HF_HOME", "/hub"}, {"HOME", "/.cache/huggingface/hub"}};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        const char *value = getenv(places[i].variable);
        if (value && value[0])
            return mem_format("%s%s", value, places[i].below);
    }
    return mem_format(".cache/huggingface/hub");
}

/* "org/name" or "name", of the letters that the hub allows; nothing that leads out of the cache. */
static bool is_repository(const char *name)
{
    int slashes = 0;
    for (const char *at = name; *at; at++) {
        slashes += *at == '/';
        if (!isalnum((unsigned char)*at) && !strchr("/-_.", *at))
            return false;
    }
    return name[0] && name[0] != '.' && name[0] != '/' && slashes <= 1 && !strstr(name, "..") && !strstr(name, "/.");
}

/* models--org--name; caller frees. */
static char *model_folder(const char *cache, const char *name)
{
    const char *slash = strchr(name, '/');
    return slash ? mem_format("%s/models--%.*s--%s", cache, (int)(slash - name), name, slash + 1)
                 : mem_format("%s/models--%s", cache, name);
}

/* The snapshot that the branch "main" points to, or NULL. */
static char *main_snapshot(const char *model)
{
    struct error ignored;
    char *reference = mem_format("%s/refs/main", model), *commit, *snapshot = NULL;
    if (file_exists(reference) && file_read(&commit, NULL, reference, 256, &ignored) == 0) {
        commit[strspn(commit, "0123456789abcdef")] = '\0';
        snapshot = mem_format("%s/snapshots/%s", model, commit);
        if (!commit[0] || !file_is_folder(snapshot)) {
            free(snapshot);
            snapshot = NULL;
        }
        free(commit);
    }
    free(reference);
    return snapshot;
}

/* People name the weights where the folder around them is meant. */
static int refuse_file(const char *path, struct error *err)
{
    static const char *const pickles[] = {".bin", ".pt", ".pth"};
    const char *slash = strrchr(path, '/'), *dot = strrchr(path, '.');
    char *folder = mem_format("%.*s", slash ? (int)(slash - path) : 1, slash ? path : ".");
    error_set(err, EXIT_BAD_DATA, "%s: is a file; name the model's folder, which has a config.json", path);
    for (size_t i = 0; dot && i < sizeof pickles / sizeof *pickles; i++)
        if (strcmp(dot, pickles[i]) == 0)
            safetensors_refuse_pickle(path, folder, err);
    free(folder);
    return -1;
}

int hub_folder(char **folder, const char *name, struct error *err)
{
    if (strncmp(name, "hf:", 3) != 0) {
        if (file_exists(name) && !file_is_folder(name))
            return refuse_file(name, err);
        *folder = mem_format("%s", name);
        return 0;
    }
    const char *repository = name + 3;
    if (!is_repository(repository))
        return error_set(err, EXIT_USAGE, "%s: not a name like hf:org/name", name);
    char *cache = cache_folder(), *model = model_folder(cache, repository);
    *folder = main_snapshot(model);
    int result = 0;
    if (!*folder)
        result =
            error_set(err, EXIT_BAD_DATA, "%s: not in the cache (no snapshot in %s); fetch it with: hf download %s",
                      name, model, repository);
    free(model);
    free(cache);
    return result;
}
