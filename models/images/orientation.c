#include "models/images/orientation.h"

#include <stdbool.h>
#include <string.h>

/* Where the pixel at x, y of the upright picture lies in the file's: first mirrored, then perhaps transposed. */
static const struct turn {
    bool from_right, from_bottom, transposed;
} turns[9] = {
    [2] = {true, false, false}, [3] = {true, true, false}, [4] = {false, true, false}, [5] = {false, false, true},
    [6] = {false, true, true},  [7] = {true, true, true},  [8] = {true, false, true},
};

void picture_upright(struct picture *picture)
{
    if (picture->orientation == 1)
        return;
    struct turn turn = turns[picture->orientation];
    int width = turn.transposed ? picture->height : picture->width;
    int height = turn.transposed ? picture->width : picture->height;
    struct picture upright = {mem_new((size_t)width * (size_t)height, 3), width, height, 1};
    unsigned char *out = upright.pixels;
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++, out += 3) {
            int column = turn.transposed ? y : x, row = turn.transposed ? x : y;
            column = turn.from_right ? picture->width - 1 - column : column;
            row = turn.from_bottom ? picture->height - 1 - row : row;
            memcpy(out, picture->pixels + 3 * ((size_t)row * (size_t)picture->width + (size_t)column), 3);
        }
    picture_free(picture);
    *picture = upright;
}
