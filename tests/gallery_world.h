/* A model, a folder of pictures and its index, for the tests of the index.
 *
 *     #define GALLERY_TEST(test) ...                        // below: a fresh gallery for each test
 *     world_expect(w, w->model, WORLD_PICTURES, WORLD_PICTURES, 0, 0, 0);
 *     return cmocka_run_group_tests(tests, world_open, world_close);
 */
#ifndef OCLIP_TESTS_GALLERY_WORLD_H
#define OCLIP_TESTS_GALLERY_WORLD_H

#include "runtime/device.h"
#include "tools/database.h"
#include "tools/index.h"

enum { WORLD_PICTURES = 4 };
extern const char *const world_pictures[WORLD_PICTURES]; /* names in tests/goldens/images and in the gallery */
extern const struct encode_options world_options;

/* The models are made once, the gallery for each test. */
struct world {
    struct device *dev;
    struct clip *model, *other_model;
    char *models, *gallery, *file; /* folders; the index. The models are in models/one and models/two */
    struct error err;
};

int world_open(void **state);
int world_close(void **state);
int world_fill_gallery(void **state);
int world_empty_gallery(void **state);
#define GALLERY_TEST(test) cmocka_unit_test_setup_teardown(test, world_fill_gallery, world_empty_gallery)

void world_put(const struct world *w, const char *picture, const char *name);
void world_take_away(const struct world *w, const char *name);
void world_meddle(const struct world *w, const char *sql); /* what another program does to the index */

/* Updates and loads as a new program would; the caller frees the gallery. */
struct index_changes world_update(struct world *w, const struct clip *clip, struct gallery *gallery);
void world_assert_changes(struct index_changes got, size_t encoded, size_t moved, size_t removed);

/* Updates, and compares what changed, and every row with the embedding of the picture its path names. */
void world_expect(struct world *w, const struct clip *clip, size_t count, size_t encoded, size_t moved, size_t removed,
                  size_t unreadable);

#endif
