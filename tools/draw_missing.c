/* In place of draw_chafa.c where libchafa is not there. */
#include "tools/draw.h"

bool draw_is_built_in(void)
{
    return false;
}

void draw_picture(const char *path)
{
    (void)path;
}
