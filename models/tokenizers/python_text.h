/* Text as Python's str has it, for the references that are written in Python.
 *
 *     python_lower(&points);                       // "ΟΔΟΣ" -> "οδος", the last letter as at a word's end
 *     python_join_words(&points);                  // " a \n b" -> "a b", as " ".join(text.split())
 *     python_remove_punctuation(&points);          // "it's" -> "its", string.punctuation
 *
 * All change the run in place. Sources: CPython's unicodeobject.c; Unicode Standard, chapter 3.13 (Final_Sigma). The
 * properties are libutf8proc's (Unicode 15), those of Python 3.12; other versions differ in a few new characters.
 */
#ifndef OCLIP_PYTHON_TEXT_H
#define OCLIP_PYTHON_TEXT_H

#include "models/tokenizers/points.h"

#include <stdbool.h>

bool python_is_space(uint32_t point); /* str.isspace, and \s of `re` */

void python_lower(struct points *text);
void python_join_words(struct points *text);
void python_remove_punctuation(struct points *text);

#endif
