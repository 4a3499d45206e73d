/* Pictures on the terminal, in what it understands: sixels, kitty's or iTerm's protocol, or coloured blocks (libchafa).
 *
 *     if (draw_is_built_in() && isatty(STDOUT_FILENO))
 *         draw_picture("photo.jpg");
 */
#ifndef OCLIP_DRAW_H
#define OCLIP_DRAW_H

#include <stdbool.h>

bool draw_is_built_in(void); /* whether libchafa was there when this was built */

/* A few lines high, on stdout; a picture that cannot be read is left out, and without libchafa all are. */
void draw_picture(const char *path);

#endif
