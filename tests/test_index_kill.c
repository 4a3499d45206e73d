/* Programs that index one gallery, killed at random moments and two at once: the index opens each time, holds only
 * right rows, and the next run completes it. OCLIP_KILLS=200 kills more often than the default. */
#define _GNU_SOURCE
#include "runtime/util/progress.h"
#include "runtime/util/random.h"
#include "tests/gallery_world.h"
#include "tests/scratch.h"

#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

extern char **environ;

enum { COPIES = 120, KILLS = 12, KILLS_A_ROUND = 3 };

/* Pictures that differ in their last bytes, which no decoder looks at. */
static void fill(const struct world *w)
{
    char *photo, *from = mem_format("%s/goldens/images/wide.jpg", getenv("OCLIP_TEST_DATA"));
    size_t size;
    struct error err;
    assert_int_equal(file_read(&photo, &size, from, 1 << 20, &err), 0);
    photo = mem_grow(photo, size + 1, 1);
    for (int i = 0; i < COPIES; i++) {
        char *name = mem_format("copy%03d.jpg", i);
        photo[size] = (char)i;
        free(scratch_file(w->gallery, name, photo, size + 1));
        free(name);
    }
    free(photo);
    free(from);
}

static pid_t start(const struct world *w)
{
    char *tool = mem_format("%s/tools/retrieve", getenv("OCLIP_BUILD")), *model = path_join(w->models, "one");
    char *words[] = {tool,           "--quiet", "--gallery", w->gallery, "--model", model,
                     "--batch-size", "1",       "-k",        "1",        "x",       NULL};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    pid_t child;
    assert_int_equal(posix_spawn(&child, tool, &actions, NULL, words, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    free(tool);
    free(model);
    return child;
}

static void pause_for(double seconds)
{
    struct timespec time = {(time_t)seconds, (long)(fmod(seconds, 1) * 1e9)};
    nanosleep(&time, NULL);
}

/* Until the program has come to the index, or has ended. */
static void wait_for_index(const struct world *w, pid_t child)
{
    siginfo_t ended = {0};
    while (!file_exists(w->file) && waitid(P_PID, (id_t)child, &ended, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           ended.si_pid == 0)
        pause_for(1e-4);
}

static int end_of(pid_t child)
{
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void assert_finished(pid_t child)
{
    int status = end_of(child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* All rows that are there are those of a run that nobody disturbed. */
static size_t assert_rows_among(struct world *w, const struct gallery *right)
{
    struct index *index;
    struct gallery got;
    if (index_open(&index, w->gallery, NULL, false, &w->err) != 0)
        fail_msg("%s", w->err.text);
    int result = index_load(&got, index, w->model, NULL, &w->err);
    index_close(index);
    if (result != 0 && strstr(w->err.text, "another model")) /* killed before the index had an owner */
        return 0;
    if (result != 0)
        fail_msg("%s", w->err.text);
    for (size_t g = 0, r = 0; g < got.paths.count; g++, r++) {
        while (r < right->paths.count && strcmp(right->paths.items[r], got.paths.items[g]) != 0)
            r++;
        assert_true(r < right->paths.count);
        for (size_t i = 0; i < got.dim; i++)
            assert_true(fabsf(got.rows[g * got.dim + i] - right->rows[r * got.dim + i]) < 1e-3f);
    }
    size_t count = got.paths.count;
    gallery_free(&got);
    return count;
}

static void killed_programs_leave_right_rows(void **state)
{
    struct world *w = *state;
    struct gallery right;
    const char *wish = getenv("OCLIP_KILLS");
    int kills = wish ? atoi(wish) : KILLS;
    struct random random = random_begin((uint64_t)kills); /* so that runs in pieces meet different moments */
    fill(w);
    pid_t undisturbed = start(w);
    wait_for_index(w, undisturbed);
    double begun = clock_seconds();
    assert_finished(undisturbed);
    double duration = clock_seconds() - begun;
    world_update(w, w->model, &right);
    assert_int_equal(right.paths.count, WORLD_PICTURES + COPIES);
    size_t halfway = 0;
    for (int i = 0; i < kills; i++) {
        if (i % KILLS_A_ROUND == 0)
            database_remove(w->file);
        pid_t child = start(w);
        wait_for_index(w, child);
        pause_for(duration * random_uniform(&random));
        kill(child, SIGKILL);
        end_of(child);
        size_t count = assert_rows_among(w, &right);
        halfway += count > 0 && count < right.paths.count;
        if (i % KILLS_A_ROUND == KILLS_A_ROUND - 1) {
            assert_finished(start(w));
            assert_int_equal(assert_rows_among(w, &right), right.paths.count);
        }
    }
    printf("%d kills, %zu of them with some pictures in the index and others not\n", kills, halfway);
    gallery_free(&right);
}

static void two_writers_at_once_make_one_index(void **state)
{
    struct world *w = *state;
    struct gallery right;
    fill(w);
    pid_t one = start(w), other = start(w);
    assert_finished(one);
    assert_finished(other);
    world_assert_changes(world_update(w, w->model, &right), 0, 0, 0);
    assert_int_equal(right.paths.count, WORLD_PICTURES + COPIES);
    gallery_free(&right);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        GALLERY_TEST(killed_programs_leave_right_rows),
        GALLERY_TEST(two_writers_at_once_make_one_index),
    };
    return cmocka_run_group_tests(tests, world_open, world_close);
}
