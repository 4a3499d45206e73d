#include "tools/draw.h"

#include "models/images/orientation.h"

#include <chafa.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { ROWS = 10, CELL_WIDTH = 8, CELL_HEIGHT = 16 /* pixels, where the terminal does not tell */ };

struct cells {
    int columns, rows, cell_width, cell_height;
};

static struct cells ask_terminal(void)
{
    struct winsize size = {0};
    struct cells cells = {80, ROWS, CELL_WIDTH, CELL_HEIGHT};
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0)
        return cells;
    if (size.ws_col)
        cells.columns = size.ws_col;
    if (size.ws_col && size.ws_row && size.ws_xpixel && size.ws_ypixel) {
        cells.cell_width = size.ws_xpixel / size.ws_col;
        cells.cell_height = size.ws_ypixel / size.ws_row;
    }
    return cells;
}

/* The best first; what a terminal can do is told by the sequences that the database has for it. */
static ChafaPixelMode pixel_mode_of(const ChafaTermInfo *terminal)
{
    static const struct {
        ChafaTermSeq sequence;
        ChafaPixelMode mode;
    } modes[] = {{CHAFA_TERM_SEQ_BEGIN_KITTY_IMMEDIATE_IMAGE_V1, CHAFA_PIXEL_MODE_KITTY},
                 {CHAFA_TERM_SEQ_BEGIN_SIXELS, CHAFA_PIXEL_MODE_SIXELS},
                 {CHAFA_TERM_SEQ_BEGIN_ITERM2_IMAGE, CHAFA_PIXEL_MODE_ITERM2}};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        if (chafa_term_info_have_seq(terminal, modes[i].sequence))
            return modes[i].mode;
    return CHAFA_PIXEL_MODE_SYMBOLS;
}

static ChafaCanvasMode canvas_mode_of(const ChafaTermInfo *terminal)
{
    static const struct {
        ChafaTermSeq sequence;
        ChafaCanvasMode mode;
    } modes[] = {{CHAFA_TERM_SEQ_SET_COLOR_FGBG_DIRECT, CHAFA_CANVAS_MODE_TRUECOLOR},
                 {CHAFA_TERM_SEQ_SET_COLOR_FGBG_256, CHAFA_CANVAS_MODE_INDEXED_240},
                 {CHAFA_TERM_SEQ_SET_COLOR_FGBG_16, CHAFA_CANVAS_MODE_INDEXED_16}};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        if (chafa_term_info_have_seq(terminal, modes[i].sequence))
            return modes[i].mode;
    return CHAFA_CANVAS_MODE_FGBG;
}

static ChafaCanvasConfig *configure(const struct picture *picture, const ChafaTermInfo *terminal)
{
    struct cells cells = ask_terminal();
    ChafaCanvasConfig *config = chafa_canvas_config_new();
    int width = cells.columns, height = cells.rows;
    chafa_calc_canvas_geometry(picture->width, picture->height, &width, &height,
                               (float)cells.cell_width / (float)cells.cell_height, FALSE, FALSE);
    chafa_canvas_config_set_geometry(config, width, height);
    chafa_canvas_config_set_cell_geometry(config, cells.cell_width, cells.cell_height);
    chafa_canvas_config_set_pixel_mode(config, pixel_mode_of(terminal));
    chafa_canvas_config_set_canvas_mode(config, canvas_mode_of(terminal));
    return config;
}

bool draw_is_built_in(void)
{
    return true;
}

void draw_picture(const char *path)
{
    struct picture picture;
    struct error ignored;
    if (picture_decode(&picture, path, &ignored) != 0)
        return;
    picture_upright(&picture);
    gchar **environment = g_get_environ();
    ChafaTermInfo *terminal = chafa_term_db_detect(chafa_term_db_get_default(), environment);
    ChafaCanvasConfig *config = configure(&picture, terminal);
    ChafaCanvas *canvas = chafa_canvas_new(config);
    chafa_canvas_draw_all_pixels(canvas, CHAFA_PIXEL_RGB8, picture.pixels, picture.width, picture.height,
                                 3 * picture.width);
    GString *text = chafa_canvas_print(canvas, terminal);
    fwrite(text->str, 1, text->len, stdout);
    putchar('\n');
    g_string_free(text, TRUE);
    chafa_canvas_unref(canvas);
    chafa_canvas_config_unref(config);
    chafa_term_info_unref(terminal);
    g_strfreev(environment);
    picture_free(&picture);
}
