/* Pixels for pictures.py: reads paths from standard input, a line each, and answers on standard output with a line
 * "WIDTH HEIGHT ORIENTATION" and the RGB bytes, or with "error TEXT".
 *
 *     dump_pictures < paths               whole pictures as they are decoded
 *     dump_pictures FOLDER < paths        as the model folder wants them
 */
#include "models/images/preprocess.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_pixels(const unsigned char *pixels, int width, int height, int orientation)
{
    printf("%d %d %d\n", width, height, orientation);
    fwrite(pixels, 3, (size_t)width * (size_t)height, stdout);
}

static int dump_decoded(const char *path, struct error *err)
{
    struct picture picture;
    if (picture_decode(&picture, path, err) != 0)
        return -1;
    print_pixels(picture.pixels, picture.width, picture.height, picture.orientation);
    picture_free(&picture);
    return 0;
}

static int dump_prepared(const char *path, const struct preprocess *preprocess, struct error *err)
{
    unsigned char *square = mem_new(preprocess_bytes(preprocess), 1); // [crop, crop, 3]
    int result = preprocess_file(square, preprocess, path, err);
    if (result == 0)
        print_pixels(square, preprocess->crop, preprocess->crop, 1);
    free(square);
    return result;
}

int main(int argc, char **argv)
{
    struct error err = {0};
    struct preprocess preprocess;
    if (argc > 1 && preprocess_read(&preprocess, argv[1], &err) != 0)
        return error_report(&err);
    char path[4096];
    while (fgets(path, sizeof path, stdin)) {
        path[strcspn(path, "\n")] = '\0';
        if ((argc > 1 ? dump_prepared(path, &preprocess, &err) : dump_decoded(path, &err)) != 0)
            printf("error %s\n", err.text);
    }
    return fflush(stdout) == 0 ? 0 : EXIT_FAILED;
}
