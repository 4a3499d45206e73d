#include "models/tokenizers/badness.h"

#include "models/tokenizers/python_text.h"
#include "models/tokenizers/unicode.h"
#include "runtime/util/error.h"

#include <stdlib.h>
#include <uchar.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- kinds of characters ---- */

enum kind {
    COMMON = 1 << 0, /* met in any text */
    C1 = 1 << 1,     /* control characters of Latin-1 */
    BAD = 1 << 2,    /* hardly met but in mojibake */
    LAW = 1 << 3,
    CURRENCY = 1 << 4,
    OPENING = 1 << 5, /* punctuation */
    CLOSING = 1 << 6,
    NUMERIC = 1 << 7,
    FACE = 1 << 8, /* letters of which faces are made, (ò_ó) */
    UPPER_ACCENTED = 1 << 9,
    LOWER_ACCENTED = 1 << 10,
    UPPER_COMMON = 1 << 11, /* other alphabets */
    LOWER_COMMON = 1 << 12,
    BOX = 1 << 13,
    SMALL = 1 << 14, /* a to z */
    CAPITAL = 1 << 15,
    BLANK = 1 << 16,
    WORD = 1 << 17, /* letters and digits of any script */
    NO_LETTER = 1 << 18,
    IN_LINE = 1 << 19, /* no newline */
    START = 1 << 20,   /* what stands before the first character */

    ACCENTED = UPPER_ACCENTED | LOWER_ACCENTED,
    PUNCTUATION = OPENING | CLOSING,
    MARK = ACCENTED | BOX | PUNCTUATION | CURRENCY | NUMERIC | LAW,
};

/* Sets of characters are strings; "a-c" is a range. No character is in two. */
static const struct {
    uint32_t kinds;
    const char32_t *characters;
} kinds[] = {
    {COMMON, U"\u00A0\u00AD´·–-―’…"},
    {C1, U"\x80-\x9F"},
    {BAD, U"¤¦¨ª¬¯¸ºƒˆˇ˘˛˜†‡‰⌐◊\uFFFD"},
    {LAW, U"§¶"},
    {CURRENCY, U"¢£¥₧€"},
    {OPENING, U"¡©«¿΄΅‘‚“„•‹\uF8FF"},
    {CLOSING, U"®»˝”›™"},
    {NUMERIC, U"±-³µ¹¼-¾×÷⁄№∂∆∏∑√∞∩∫≈≠≡≤≥"},
    {FACE, U"°Ò-ÖÙ-Ûò-öø-ûŌŐŪŲ"},
    {FACE | UPPER_ACCENTED, U"Ü"},
    {FACE | LOWER_ACCENTED, U"ü"},
    {UPPER_ACCENTED, U"À-ÑØÝĀĂĄĆČĎĐĒĖĘĚĞĢĪİĶĹĻĽŁŃŅŇŒŘŚŞŠŢŤŮŰŸŹŻŽҐ"},
    {LOWER_ACCENTED, U"ß-ñāăąćčďđēėęěğģīįķĺļľłœŕśşšťźżžґﬁﬂ"},
    {UPPER_COMMON, U"ÞΆΈ-ΊΌΎΏΑ-ΫЁ-Я"},
    {LOWER_COMMON, U"ά-ωа-џ"},
    {BOX, U"│┌┐┘├┤┬┼═-╬▀▄█▌▐-▓"},
};

static bool is_among(const char32_t *characters, uint32_t point)
{
    for (const char32_t *at = characters; *at; at++) {
        bool is_range = at[1] == '-';
        if (point >= at[0] && point <= at[is_range ? 2 : 0])
            return true;
        at += is_range ? 2 : 0;
    }
    return false;
}

static uint32_t kinds_of(uint32_t point)
{
    uint32_t found = point == '\n' ? 0 : IN_LINE;
    for (size_t i = 0; point >= 0x80 && i < COUNT(kinds); i++) {
        if (is_among(kinds[i].characters, point)) {
            found |= kinds[i].kinds;
            break;
        }
    }
    found |= point >= 'a' && point <= 'z' ? SMALL : point >= 'A' && point <= 'Z' ? CAPITAL : NO_LETTER;
    if (python_is_space(point))
        found |= BLANK;
    enum unicode_class class = unicode_class(point);
    if (class == UNICODE_LETTER || class == UNICODE_NUMBER || point == '_')
        found |= WORD;
    return found;
}

/* ---- sequences ---- */

enum { LONGEST_RULE = 7 };

/* What may stand at each place: characters of these kinds, and these others. */
static const struct rule {
    uint32_t kinds[LONGEST_RULE];
    const char32_t *others[LONGEST_RULE];
} rules[] = {
    {.kinds = {C1}},
    {.kinds = {BAD | MARK, BAD}},
    {.kinds = {BAD, MARK}},
    {.kinds = {SMALL | CAPITAL, LOWER_COMMON | UPPER_COMMON, BAD}},
    {.kinds = {LOWER_ACCENTED | LOWER_COMMON | BOX | CLOSING | CURRENCY | NUMERIC, UPPER_ACCENTED}},
    {.kinds = {BOX | CLOSING | CURRENCY | NUMERIC, LOWER_ACCENTED}},
    {.kinds = {LOWER_ACCENTED | BOX | CLOSING, CURRENCY}},
    {.kinds = {BLANK, UPPER_ACCENTED, CURRENCY}},
    {.kinds = {UPPER_ACCENTED | BOX, NUMERIC | LAW}},
    {.kinds = {ACCENTED | BOX | CURRENCY | CLOSING, OPENING, NUMERIC}},
    {.kinds = {ACCENTED | CURRENCY | NUMERIC | BOX | LAW, CLOSING, OPENING}},
    {.kinds = {CURRENCY | NUMERIC | BOX, OPENING}},
    {.kinds = {SMALL, UPPER_ACCENTED, OPENING | CURRENCY}},
    {.kinds = {BOX, FACE | CLOSING}},
    {.kinds = {ACCENTED | CURRENCY | NUMERIC | PUNCTUATION | LAW, BOX}},
    {.kinds = {ACCENTED, PUNCTUATION, WORD}},
    {.kinds = {UPPER_ACCENTED}, .others = {NULL, U"°"}},
    {.kinds = {0, NO_LETTER}, .others = {U"Œœ"}},

    /* read as Windows-1252 */
    {.kinds = {0, PUNCTUATION}, .others = {U"ÂÃÎÐ", U"\u00A0\u00AD€œŠš¢£Ÿž®©°·»–—´"}},
    {.others = {U"Ã", U"\u00A0¡"}},
    {.kinds = {START | SMALL}, .others = {NULL, U"ÃÂ", U" "}},
    {.kinds = {SMALL, BLANK}, .others = {NULL, NULL, U"ÃÂ", U" "}},
    {.kinds = {SMALL | CLOSING, 0, PUNCTUATION}, .others = {U".,?!", U"Â", U" "}},
    {.others = {U"×", U"²³"}},
    {.others = {U"à", U"²µ¹¼½¾"}}, /* scripts of southern Asia */
    {.kinds = {0, COMMON | CURRENCY | BAD | NUMERIC | OPENING, 0, COMMON | CURRENCY | BAD | NUMERIC | OPENING},
     .others = {U"ØÙ", U"ŸŠ®°µ»", U"ØÙ", U"ŸŠ®°µ»"}}, /* Arabic */

    /* read as Windows-1251, 1253, 1257 */
    {.others = {U"в", U"Ђ"}},
    {.kinds = {0, C1 | BAD | PUNCTUATION | CURRENCY}, .others = {U"ВГРС", U"°µ", U"ВГРС"}},
    {.kinds = {[5] = IN_LINE, SMALL | CAPITAL}, .others = {U"Г", U"ў", U"В", U"Ђ", U"В", NULL, U" "}},
    {.others = {U"β", U"€", U"\u00A0\u00AD™Ά®°"}},
    {.kinds = {0, C1 | BAD | PUNCTUATION | CURRENCY}, .others = {U"ΒΓΞΟ", U"°", U"ΒΓΞΟ"}},
    {.others = {U"ā", U"€"}},

    /* read as MacRoman */
    {.others = {U"√", U"±∂†≠®™´≤≥¥µø"}},
    {.others = {U"≈", U"°¢"}},
    {.others = {U"‚", U"Ä", U"ìîïòôúùû†°¢π"}},
    {.others = {U"‚", U"âó", U"àä°ê"}},
};

/* points, found: [count] */
static bool matches(const struct rule *rule, const uint32_t *points, const uint32_t *found, size_t count)
{
    for (size_t i = 0; i < LONGEST_RULE && (rule->kinds[i] || rule->others[i]); i++)
        if (i == count || !(rule->kinds[i] & found[i] || (rule->others[i] && is_among(rule->others[i], points[i]))))
            return false;
    return true;
}

bool badness_found(const uint32_t *points, size_t count)
{
    uint32_t *padded = mem_new(count + 1, sizeof *padded), *found = mem_new(count + 1, sizeof *found);
    bool is_bad = false;
    found[0] = START;
    for (size_t i = 0; i < count; i++) {
        padded[i + 1] = points[i];
        found[i + 1] = kinds_of(points[i]);
    }
    for (size_t at = 0; at <= count && !is_bad; at++)
        for (size_t i = 0; i < COUNT(rules) && !is_bad; i++)
            is_bad = matches(&rules[i], padded + at, found + at, count + 1 - at);
    free(padded);
    free(found);
    return is_bad;
}
