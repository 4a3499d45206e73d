/* Sentences with a hole, {}, for the name of a class.
 *
 *     struct string_list templates = {0};
 *     if (templates_read(&templates, "templates.txt", &err) != 0) return -1;
 *     char *text = template_fill(templates.items[0], "hat");            // "a photo of a hat."
 */
#ifndef OCLIP_TEMPLATES_H
#define OCLIP_TEMPLATES_H

#include "runtime/util/file.h"

/* One a line; path NULL: a few usual ones. */
int templates_read(struct string_list *templates, const char *path, struct error *err) MUST_CHECK;

/* The template with every {} replaced; caller frees. */
char *template_fill(const char *template, const char *name);

#endif
