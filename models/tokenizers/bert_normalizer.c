#include "models/tokenizers/bert_normalizer.h"

#include "models/tokenizers/unicode.h"

#include <utf8proc.h>

/* Characters younger than Unicode 8: to the reference they are no marks, no punctuation and no format characters, and
 * do not decompose. A row may span anything that is none of these in Unicode 8 either. */
static const struct unicode_range younger[] = {
    {0x61D, 0x61D},     {0x7FD, 0x7FD},     {0x890, 0x8E2},     {0x9FD, 0x9FE},     {0xA76, 0xA76},
    {0xAFA, 0xAFF},     {0xB55, 0xB55},     {0xC04, 0xC3C},     {0xC77, 0xC77},     {0xC84, 0xC84},
    {0xD00, 0xD00},     {0xD3B, 0xD3C},     {0xD81, 0xD81},     {0xEBA, 0xEBA},     {0xECE, 0xECE},
    {0x180F, 0x1886},   {0x1ABF, 0x1ACE},   {0x1B7D, 0x1B7E},   {0x1DF6, 0x1DFB},   {0x2E43, 0x2E5D},
    {0xA82C, 0xA82C},   {0xA8C5, 0xA8C5},   {0xA8FF, 0xA8FF},   {0xA9BD, 0xA9BD},   {0x10D24, 0x10F89},
    {0x11070, 0x11074}, {0x110C2, 0x110CD}, {0x111CF, 0x111CF}, {0x1123E, 0x11241}, {0x1133B, 0x1133B},
    {0x11438, 0x1145E}, {0x11660, 0x1166C}, {0x116B9, 0x116B9}, {0x1182F, 0x11FFF}, {0x12FF1, 0x13455},
    {0x16E97, 0x16F4F}, {0x16FE2, 0x16FE4}, {0x1CF00, 0x1CF46}, {0x1E000, 0x1E4EF}, {0x1E944, 0x1E95F},
};

static bool is_younger(uint32_t point)
{
    return unicode_in_ranges(younger, sizeof younger / sizeof younger[0], point);
}

/* The general category in Unicode 8. */
static utf8proc_category_t category_of(uint32_t point)
{
    static const struct {
        uint32_t point;
        utf8proc_category_t category;
    } changed[] = {/* since Unicode 8 */
                   {0x166D, UTF8PROC_CATEGORY_PO},
                   {0x1734, UTF8PROC_CATEGORY_MN},
                   {0x111C9, UTF8PROC_CATEGORY_PO}};
    for (size_t i = 0; i < sizeof changed / sizeof changed[0]; i++)
        if (point == changed[i].point)
            return changed[i].category;
    return is_younger(point) ? UTF8PROC_CATEGORY_CN : utf8proc_category((utf8proc_int32_t)point);
}

static bool is_ascii_space(uint32_t point)
{
    return point == ' ' || (point >= '\t' && point <= '\r');
}

bool bert_is_space(uint32_t point)
{
    if (point < 0x80)
        return is_ascii_space(point);
    utf8proc_category_t category = category_of(point);
    return point == 0x85 || (category >= UTF8PROC_CATEGORY_ZS && category <= UTF8PROC_CATEGORY_ZP);
}

bool bert_is_punctuation(uint32_t point)
{
    if (point < 0x80) /* every printing character that is no letter or digit, "+" and "$" included */
        return (point > ' ' && point < '0') || (point > '9' && point < 'A') || (point > 'Z' && point < 'a') ||
               (point > 'z' && point < 0x7F);
    utf8proc_category_t category = category_of(point);
    return category >= UTF8PROC_CATEGORY_PC && category <= UTF8PROC_CATEGORY_PO;
}

/* Tab and line ends count as spaces; the other ASCII blanks, and U+0085, as control characters. */
static bool is_removed_by_cleaning(uint32_t point)
{
    if (point < 0x80)
        return (point < ' ' || point == 0x7F) && point != '\t' && point != '\n' && point != '\r';
    utf8proc_category_t category = category_of(point);
    return point == 0xFFFD || category == UTF8PROC_CATEGORY_CC || category == UTF8PROC_CATEGORY_CF ||
           category == UTF8PROC_CATEGORY_CO;
}

/* CJK ideographs; that U+2B820 to U+2B91F are missing is the reference's. */
static bool is_chinese(uint32_t point)
{
    return (point >= 0x4E00 && point <= 0x9FFF) || (point >= 0x3400 && point <= 0x4DBF) ||
           (point >= 0xF900 && point <= 0xFAFF) || (point >= 0x20000 && point <= 0x2A6DF) ||
           (point >= 0x2A700 && point <= 0x2B81F) || (point >= 0x2B920 && point <= 0x2CEAF) ||
           (point >= 0x2F800 && point <= 0x2FA1F);
}

static size_t put_lowercase(uint32_t *out, uint32_t point, const struct bert_options *options)
{
    if (options->lowercase)
        return unicode_lowercase(out, point);
    out[0] = point;
    return 1;
}

/* Canonical order is left out: once the nonspacing marks are gone, only spacing viramas, Hangul's tone marks and stems
 * of notes could change places, and only where two of them stand in a row. */
static size_t put_without_accents(uint32_t *out, uint32_t point, const struct bert_options *options)
{
    utf8proc_int32_t parts[BERT_GROWTH] = {(utf8proc_int32_t)point};
    int boundary = 0;
    utf8proc_ssize_t count = 1;
    if (!is_younger(point))
        count = utf8proc_decompose_char((utf8proc_int32_t)point, parts, BERT_GROWTH, UTF8PROC_DECOMPOSE, &boundary);
    size_t written = 0;
    for (utf8proc_ssize_t i = 0; i < count && i < BERT_GROWTH; i++)
        if (category_of((uint32_t)parts[i]) != UTF8PROC_CATEGORY_MN)
            written += put_lowercase(out + written, (uint32_t)parts[i], options);
    return written;
}

static size_t put_ascii(uint32_t *out, uint32_t point, const struct bert_options *options)
{
    bool capital = options->lowercase && point >= 'A' && point <= 'Z';
    out[0] = capital ? point + ('a' - 'A') : point;
    return 1;
}

size_t bert_normalize(uint32_t *out, const uint32_t *in, size_t count, const struct bert_options *options)
{
    size_t written = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t point = in[i];
        if (options->clean_text && is_removed_by_cleaning(point))
            continue;
        if (options->clean_text && bert_is_space(point))
            point = ' ';
        bool spaced = options->chinese_spaces && is_chinese(point);
        if (spaced)
            out[written++] = ' ';
        if (point < 0x80)
            written += put_ascii(out + written, point, options);
        else if (options->strip_accents)
            written += put_without_accents(out + written, point, options);
        else
            written += put_lowercase(out + written, point, options);
        if (spaced)
            out[written++] = ' ';
    }
    return written;
}
