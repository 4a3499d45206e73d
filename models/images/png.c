/* PNG by libpng, without any of the colour management that Pillow leaves out too. */
#include "models/images/decoders.h"
#include "models/images/reader.h"

#include <png.h>
#include <stdlib.h>

struct job {
    struct reader reader;
    struct picture *picture;
    png_bytep *rows; // [height]
    const char *name;
    struct error *err;
};

static _Noreturn void on_error(png_structp png, png_const_charp message)
{
    struct job *job = png_get_error_ptr(png);
    error_set(job->err, EXIT_BAD_DATA, "%s: broken PNG: %s", job->name, message);
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp message)
{
    (void)png;
    (void)message;
}

static void on_read(png_structp png, png_bytep out, size_t count)
{
    struct reader *reader = png_get_io_ptr(png);
    const unsigned char *bytes = reader_take(reader, count);
    if (!bytes)
        png_error(png, "the file ends too early");
    for (size_t i = 0; i < count; i++)
        out[i] = bytes[i];
}

/* Everything comes out as rows of RGB, except grey of 16 bits. */
static void choose_transforms(png_structp png, int colour, int depth)
{
    if (colour == PNG_COLOR_TYPE_PALETTE)
        png_set_palette_to_rgb(png);
    else if (depth < 8)
        png_set_expand_gray_1_2_4_to_8(png);
    if (colour == PNG_COLOR_TYPE_GRAY && depth == 16)
        return;
    png_set_strip_16(png);
    png_set_strip_alpha(png);
    png_set_gray_to_rgb(png);
}

/* In place: big-endian grey of 16 bits lies at the start of the row. */
static void rgb_from_clipped_grey(unsigned char *row /* [width, 2] to [width, 3] */, int width)
{
    for (int x = width - 1; x >= 0; x--) {
        unsigned char grey = row[2 * x] ? 255 : row[2 * x + 1];
        row[3 * x] = row[3 * x + 1] = row[3 * x + 2] = grey;
    }
}

/* libpng leaves by longjmp; all that must outlive it is in the job. */
static int run(struct job *job, png_structp png, png_infop info)
{
    if (setjmp(png_jmpbuf(png)))
        return -1;
    png_set_read_fn(png, &job->reader, on_read);
    png_read_info(png, info);
    int width = (int)png_get_image_width(png, info), height = (int)png_get_image_height(png, info);
    if (picture_new(job->picture, width, height, job->name, job->err) != 0)
        return -1;

    int colour = png_get_color_type(png, info), depth = png_get_bit_depth(png, info);
    choose_transforms(png, colour, depth);
    (void)png_set_interlace_handling(png);
    png_read_update_info(png, info);
    CHECK(png_get_rowbytes(png, info) <= 3 * (size_t)width, "a PNG row of %zu bytes for %d pixels",
          png_get_rowbytes(png, info), width);

    job->rows = mem_new((size_t)height, sizeof *job->rows);
    for (int y = 0; y < height; y++)
        job->rows[y] = job->picture->pixels + 3 * (size_t)y * (size_t)width;
    png_read_image(png, job->rows);
    if (colour == PNG_COLOR_TYPE_GRAY && depth == 16)
        for (int y = 0; y < height; y++)
            rgb_from_clipped_grey(job->rows[y], width);
    return 0;
}

int png_decode(struct picture *picture, const unsigned char *bytes, size_t size, const char *name, struct error *err)
{
    struct job job = {.reader = {bytes, size, 0, false}, .picture = picture, .name = name, .err = err};
    png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &job, on_error, on_warning);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    int result = info ? run(&job, png, info) : error_set(err, EXIT_NO_MEMORY, "%s: cannot start the PNG decoder", name);
    png_destroy_read_struct(&png, &info, NULL);
    free(job.rows);
    return result;
}
