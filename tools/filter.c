#include "tools/filter.h"

#include <fnmatch.h>
#include <string.h>

static bool is_date(const char *text)
{
    static const char pattern[] = "dddd-dd-dd dd:dd:dd";
    size_t length = strlen(text);
    if (length < 4 || length >= sizeof pattern)
        return false;
    for (size_t i = 0; i < length; i++)
        if (pattern[i] == 'd' ? text[i] < '0' || text[i] > '9' : text[i] != pattern[i])
            return false;
    return pattern[length] != 'd'; /* no half of a number */
}

int filter_check(const struct filter *filter, struct error *err)
{
    const struct {
        const char *option, *date;
    } dates[] = {{"--after", filter->after}, {"--before", filter->before}};
    for (size_t i = 0; i < sizeof dates / sizeof *dates; i++)
        if (dates[i].date && !is_date(dates[i].date))
            return error_set(err, EXIT_USAGE,
                             "%s '%s': a date is written 2024, 2024-05, 2024-05-31 or \"2024-05-31 18:30\"",
                             dates[i].option, dates[i].date);
    return 0;
}

static const char *orientation_of(const struct photo *photo)
{
    return photo->width > photo->height ? "landscape" : photo->width < photo->height ? "portrait" : "square";
}

bool filter_takes(const struct filter *filter, const char *path, const struct photo *photo)
{
    return (!filter->path || fnmatch(filter->path, path, 0) == 0) &&
           (!filter->after || strcmp(photo->taken, filter->after) >= 0) &&
           (!filter->before || strcmp(photo->taken, filter->before) < 0) &&
           (!filter->orientation || strcmp(filter->orientation, orientation_of(photo)) == 0) &&
           photo->width >= filter->min_width && photo->height >= filter->min_height;
}
