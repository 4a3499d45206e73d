#define _GNU_SOURCE
#include "tools/pictures.h"

#include "runtime/device.h"

#include <stdlib.h>

/* Where the approximate index is: one a gallery and model. Caller frees. */
static char *ann_file_of(const struct session *session, const char *folder, struct error *err)
{
    char *cache = device_cache_folder("ann"), *absolute = realpath(folder, NULL), name[HASH_TEXT];
    struct hash hash = session->clip->fingerprint;
    preprocess_add_hash(&hash, &session->clip->preprocess);
    hash_add_text(&hash, absolute ? absolute : folder);
    hash_text(name, hash);
    char *path = file_make_folders(cache, err) == 0 ? mem_format("%s/%s.ann", cache, name) : NULL;
    free(absolute);
    free(cache);
    return path;
}

static int open_ann(struct ann **out, const struct gallery *gallery, const struct session *session, const char *folder,
                    const struct ann_options *options, struct error *err)
{
    *out = NULL;
    if (!options->wanted)
        return 0;
    char *path = ann_file_of(session, folder, err);
    int result = path ? ann_open(out, gallery, path, options, session->quiet, err) : -1;
    free(path);
    return result;
}

int pictures_open(struct collection *pictures, const struct session *session, const struct gallery_options *options,
                  const struct ann_options *ann_options, struct error *err)
{
    struct gallery gallery;
    struct ann *ann;
    if (gallery_open(&gallery, session, options, err) != 0)
        return -1;
    if (open_ann(&ann, &gallery, session, options->folder, ann_options, err) != 0) {
        gallery_free(&gallery);
        return -1;
    }
    collection_fill(pictures, session->dev, &gallery.paths, gallery.photos, gallery.rows, gallery.dim, ann);
    return 0;
}
