/* Repairs glitches in text as the Python package ftfy (6.3) does, whose fix_text open_clip runs over every text.
 *
 *     ftfy_fix(&text);            // "It&rsquo;s “ﬁne”…" -> "It's \"fine\"…"
 *
 * What it does: unescapes entities that end in a semicolon (until a line has a "<"), repairs mojibake, gives C1
 * controls their Windows meaning, takes Latin ligatures and full- and halfwidth forms apart, makes quotes straight,
 * removes terminal escapes and control characters, composes (NFC); again until nothing changes. Some texts change for
 * as many rounds as they have characters; long ones of those are left after millions of looks at a character.
 */
#ifndef OCLIP_FTFY_H
#define OCLIP_FTFY_H

#include "models/tokenizers/points.h"

void ftfy_fix(struct points *text);

#endif
