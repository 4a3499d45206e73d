/* Mojibake, UTF-8 that was read as another encoding, read again.
 *
 *     size_t budget = 1 << 20;
 *     mojibake_repair(&text, &budget);        // "voilÃ\u00A0 cafÃ©" -> "voilà café"
 *
 * Text that shows no sign of it is left as it is. Source: fix_encoding of the Python package ftfy 6.3, whose result is
 * given for any text: it is read back from the first of ten code pages that makes it UTF-8, else parts of it are, else
 * its C1 controls are those of Windows-1252; again until nothing changes.
 */
#ifndef OCLIP_MOJIBAKE_H
#define OCLIP_MOJIBAKE_H

#include "models/tokenizers/points.h"

/* `budget` is how many code points may be looked at, over and over; what was is taken from it, and at 0 the text stays
 * as it has become. A text can be made that takes as many rounds as it has characters. */
void mojibake_repair(struct points *text, size_t *budget);

#endif
