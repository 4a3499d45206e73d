#include "models/files/templates.h"

#include "runtime/util/lines.h"

#include <stdlib.h>
#include <string.h>

static const char *const usual_templates[] = {"a photo of a {}.", "a photo of the {}.", "a picture of {}.",
                                              "a close-up photo of {}.", "{}"};

int templates_read(struct string_list *templates, const char *path, struct error *err)
{
    if (!path) {
        for (size_t i = 0; i < sizeof usual_templates / sizeof *usual_templates; i++)
            string_list_add(templates, usual_templates[i]);
        return 0;
    }
    struct string_list lines = {0};
    int result = lines_read(&lines, path, LINES_ALL, err);
    for (size_t i = 0; result == 0 && i < lines.count; i++) {
        if (lines.items[i][strspn(lines.items[i], " \t")] == '\0')
            continue;
        if (strstr(lines.items[i], "{}"))
            string_list_add(templates, lines.items[i]);
        else
            result = error_set(err, EXIT_BAD_DATA, "%s:%zu: the template \"%s\" has no {} where the class name goes",
                               path, i + 1, lines.items[i]);
    }
    if (result == 0 && templates->count == 0)
        result = error_set(err, EXIT_BAD_DATA, "%s: holds no template", path);
    string_list_free(&lines);
    return result;
}

char *template_fill(const char *template, const char *name)
{
    char *text = mem_format("%s", "");
    for (const char *hole; (hole = strstr(template, "{}")); template = hole + 2) {
        char *longer = mem_format("%s%.*s%s", text, (int)(hole - template), template, name);
        free(text);
        text = longer;
    }
    char *whole = mem_format("%s%s", text, template);
    free(text);
    return whole;
}
