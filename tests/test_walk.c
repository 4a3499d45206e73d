/* What a walk through a folder finds, leaves out and counts. */
#define _GNU_SOURCE
#include "tests/scratch.h"
#include "tools/walk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static void put(const char *folder, const char *name, const char *text)
{
    free(scratch_file(folder, name, text, strlen(text)));
}

static void make_folder(const char *folder, const char *name)
{
    char *path = path_join(folder, name);
    assert_int_equal(mkdir(path, 0755), 0);
    free(path);
}

static void make_link(const char *folder, const char *name, const char *target)
{
    char *path = path_join(folder, name);
    assert_int_equal(symlink(target, path), 0);
    free(path);
}

static void assert_paths(const struct walk *walk, const char *const *paths, size_t count)
{
    assert_int_equal(walk->count, count);
    for (size_t i = 0; i < count; i++)
        assert_string_equal(walk->files[i].path, paths[i]);
}

static void files_of_any_name_are_found(void **state)
{
    static const char *const paths[] = {"a.JPG",  "b/c/d.jpg",   "b\n.jpg", "b\".jpg",
                                        "b'.jpg", "caf\xE9.jpg", "\xFF.jpg"};
    (void)state;
    struct walk walk;
    struct error err;
    char *folder = scratch_new();
    make_folder(folder, "b");
    make_folder(folder, "b/c");
    make_folder(folder, ".hidden");
    put(folder, ".hidden/x.jpg", "");
    put(folder, ".x.jpg", "");
    put(folder, "notes.txt", "");
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        put(folder, paths[i], "12345");
    assert_int_equal(walk_folder(&walk, folder, ".jpg .png", &err), 0);
    static const char *const sorted[] = {"a.JPG",     "b\n.jpg",     "b\".jpg", "b'.jpg",
                                         "b/c/d.jpg", "caf\xE9.jpg", "\xFF.jpg"};
    assert_paths(&walk, sorted, sizeof sorted / sizeof *sorted);
    for (size_t i = 0; i < walk.count; i++) {
        assert_int_equal(walk.files[i].size, 5);
        assert_true(walk.files[i].changed_ns > 1000000000LL * 1000000000);
    }
    assert_int_equal(walk.folder_links + walk.dead_links + walk.specials + walk.closed.count, 0);
    walk_free(&walk);
    scratch_free(folder);
}

static void links_are_followed_to_files_only(void **state)
{
    static const char *const paths[] = {"b/x.jpg", "to-file.jpg"};
    (void)state;
    struct walk walk;
    struct error err;
    char *folder = scratch_new();
    make_folder(folder, "b");
    put(folder, "b/x.jpg", "x");
    make_link(folder, "to-file.jpg", "b/x.jpg");
    make_link(folder, "b/up", "..");
    make_link(folder, "to-folder", "b");
    make_link(folder, "dead.jpg", "nowhere.jpg");
    make_link(folder, "round.jpg", "round.jpg");
    make_link(folder, "dead.txt", "nowhere.txt");
    char *pipe = path_join(folder, "pipe.jpg");
    assert_int_equal(mkfifo(pipe, 0600), 0);
    free(pipe);
    assert_int_equal(walk_folder(&walk, folder, ".jpg", &err), 0);
    assert_paths(&walk, paths, 2);
    assert_int_equal(walk.folder_links, 2);
    assert_int_equal(walk.dead_links, 2);
    assert_int_equal(walk.specials, 1);
    walk_free(&walk);
    scratch_free(folder);
}

/* Root opens every folder, so it becomes nobody for a moment. */
static void a_closed_folder_is_left_out(void **state)
{
    (void)state;
    struct walk walk;
    struct error err;
    char *folder = scratch_new(), *closed = path_join(folder, "closed");
    make_folder(folder, "closed");
    put(folder, "closed/x.jpg", "x");
    put(folder, "y.jpg", "y");
    assert_int_equal(chmod(folder, 0755) + chmod(closed, 0), 0);
    bool is_root = geteuid() == 0;
    assert_int_equal(is_root ? seteuid(65534) : 0, 0);
    int result = walk_folder(&walk, folder, ".jpg", &err);
    assert_int_equal(is_root ? seteuid(0) : 0, 0);
    assert_int_equal(result, 0);
    assert_paths(&walk, (const char *const[]){"y.jpg"}, 1);
    assert_int_equal(walk.closed.count, 1);
    assert_true(walk_is_closed(&walk, "closed/x.jpg"));
    assert_false(walk_is_closed(&walk, "closed.jpg"));
    assert_false(walk_is_closed(&walk, "y.jpg"));
    chmod(closed, 0700);
    walk_free(&walk);
    free(closed);
    scratch_free(folder);
}

static void deep_and_missing_folders(void **state)
{
    (void)state;
    enum { DEPTH = 1500 }; /* more than a process may have files open */
    struct walk walk;
    struct error err;
    char *folder = scratch_new(), *path = mem_format("%s", folder);
    for (int i = 0; i < DEPTH; i++) {
        char *below = path_join(path, "d");
        free(path);
        path = below;
        assert_int_equal(mkdir(path, 0755), 0);
    }
    put(path, "x.jpg", "x");
    assert_int_equal(walk_folder(&walk, folder, ".jpg", &err), 0);
    assert_int_equal(walk.count, 1);
    walk_free(&walk);
    free(path);
    scratch_free(folder);
    assert_int_equal(walk_folder(&walk, "/nowhere", ".jpg", &err), -1);
    assert_non_null(strstr(err.text, "/nowhere"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_of_any_name_are_found),
        cmocka_unit_test(links_are_followed_to_files_only),
        cmocka_unit_test(a_closed_folder_is_left_out),
        cmocka_unit_test(deep_and_missing_folders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
