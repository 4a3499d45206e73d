/* Text as open_clip cleans it before its tokenizers see it.
 *
 *     char *clean = open_clip_clean("Tom &amp; Jerry\n", OPEN_CLIP_LOWER);      // "tom & jerry"
 *     free(clean);
 *
 * Source: open_clip's tokenizer.py (basic_clean and what follows it), ftfy, Python's html.unescape.
 */
#ifndef OCLIP_OPEN_CLIP_TEXT_H
#define OCLIP_OPEN_CLIP_TEXT_H

enum open_clip_cleaning {
    OPEN_CLIP_NOTHING,      /* the text as it is */
    OPEN_CLIP_WHITESPACE,   /* repaired, unescaped, each run of blanks one space */
    OPEN_CLIP_LOWER,        /* and lower case */
    OPEN_CLIP_CANONICALIZE, /* and "_" a space, no other ASCII punctuation */
    OPEN_CLIP_CLEANINGS
};

extern const char *const open_clip_cleaning_names[]; // [OPEN_CLIP_CLEANINGS], as tokenizer_kwargs.clean has them

/* NUL-terminated UTF-8 in and out; caller frees. */
char *open_clip_clean(const char *text, enum open_clip_cleaning cleaning);

#endif
