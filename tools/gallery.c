#include "tools/gallery.h"

#include "tools/index.h"

#include <stdio.h>
#include <stdlib.h>

static void say_left_out(const struct session *session, const char *folder, const struct index_changes *changes)
{
    const struct {
        const char *what;
        size_t count;
    } kinds[] = {{"folders that cannot be opened", changes->closed_folders},
                 {"files that cannot be opened", changes->closed_files},
                 {"links to folders", changes->folder_links},
                 {"links that lead nowhere", changes->dead_links},
                 {"pipes, sockets and devices", changes->specials}};
    bool any = false;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (!kinds[i].count)
            continue;
        if (!any)
            session_say(session, "left out in %s: ", folder);
        session_say(session, "%s%s (%zu)", any ? ", " : "", kinds[i].what, kinds[i].count);
        any = true;
    }
    if (any)
        session_say(session, "\n");
}

static void say_changes(const struct session *session, const char *folder, const struct gallery *gallery,
                        const struct index_changes *changes)
{
    if (changes->was_of_another_model)
        session_say(session, "%s: the index was of another model; all was encoded anew\n", folder);
    if (gallery->paths.count < gallery->readable)
        session_say(session, "%zu of ", gallery->paths.count);
    session_say(session, "%zu pictures in %s (%zu new or changed, %zu moved, %zu removed, %zu unreadable)\n",
                gallery->readable, folder, changes->encoded, changes->moved, changes->removed,
                gallery->unreadable + changes->closed_files);
    say_left_out(session, folder, changes);
    if (changes->is_forgotten && changes->encoded > 0)
        session_say(session, "the index cannot be written: what is new is forgotten again; --index FILE keeps it\n");
}

int gallery_open(struct gallery *gallery, const struct session *session, const struct gallery_options *options,
                 struct error *err)
{
    struct index *index;
    struct index_changes changes;
    struct encode_options encode = session_encode(session, ENCODE_EMBEDDINGS, "indexing");
    if (filter_check(&options->filter, err) != 0 ||
        index_open(&index, options->folder, options->index, options->rebuild, err) != 0)
        return -1;
    int result = index_update(&changes, index, session->clip, &encode, err);
    if (result == 0)
        result = index_load(gallery, index, session->clip, &options->filter, err);
    index_close(index);
    if (result != 0)
        return -1;
    say_changes(session, options->folder, gallery, &changes);
    if (gallery->readable > 0)
        return 0;
    gallery_free(gallery);
    return error_set(err, EXIT_BAD_DATA, "no picture in %s can be read", options->folder);
}

void gallery_free(struct gallery *gallery)
{
    string_list_free(&gallery->paths);
    free(gallery->photos);
    free(gallery->rows);
    *gallery = (struct gallery){0};
}
