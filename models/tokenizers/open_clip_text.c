#include "models/tokenizers/open_clip_text.h"

#include "models/tokenizers/ftfy.h"
#include "models/tokenizers/html_text.h"
#include "models/tokenizers/python_text.h"
#include "models/tokenizers/utf8.h"

#include <stdlib.h>

const char *const open_clip_cleaning_names[OPEN_CLIP_CLEANINGS] = {
    [OPEN_CLIP_NOTHING] = "",
    [OPEN_CLIP_WHITESPACE] = "whitespace",
    [OPEN_CLIP_LOWER] = "lower",
    [OPEN_CLIP_CANONICALIZE] = "canonicalize",
};

static void unescape(struct points *text)
{
    struct points out = {0};
    html_unescape(&out, text->items, text->count);
    free(text->items);
    *text = out;
}

static void canonicalize(struct points *text)
{
    for (size_t i = 0; i < text->count; i++)
        if (text->items[i] == '_')
            text->items[i] = ' ';
    python_remove_punctuation(text);
    python_lower(text);
    python_join_words(text);
}

char *open_clip_clean(const char *text, enum open_clip_cleaning cleaning)
{
    struct points points = {0};
    points.items = utf8_decode_all(&points.count, text);
    points.capacity = points.count;
    if (cleaning != OPEN_CLIP_NOTHING) {
        ftfy_fix(&points);
        unescape(&points);
        unescape(&points); /* "&amp;lt;" is met often enough */
        python_join_words(&points);
    }
    if (cleaning == OPEN_CLIP_LOWER)
        python_lower(&points);
    if (cleaning == OPEN_CLIP_CANONICALIZE)
        canonicalize(&points);
    char *clean = utf8_encode_all(points.items, points.count);
    free(points.items);
    return clean;
}
