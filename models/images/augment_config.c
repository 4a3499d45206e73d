/* open_clip's spelling of augmentation: --aug-cfg scale='(0.9, 1.0)' color_jitter_prob=0.8 ... */
#include "models/images/augment.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct augment augment_default(void)
{
    return (struct augment){.scale = {0.9, 1.0}, .ratio = {3.0 / 4, 4.0 / 3}, .jitter_prob = 1};
}

/* A key, its place, how many numbers it takes, and between what. */
static const struct key {
    const char *name;
    size_t offset;
    int least, most;
    double low, high;
} keys[] = {
    {"scale", offsetof(struct augment, scale), 2, 2, 1e-6, 1},
    {"ratio", offsetof(struct augment, ratio), 2, 2, 1e-3, 1e3},
    {"color_jitter", offsetof(struct augment, jitter), 1, 4, 0, 100},
    {"color_jitter_prob", offsetof(struct augment, jitter_prob), 1, 1, 0, 1},
    {"gray_scale_prob", offsetof(struct augment, grey_prob), 1, 1, 0, 1},
    {"hflip", offsetof(struct augment, flip_prob), 1, 1, 0, 1},
};
enum { KEYS = sizeof keys / sizeof *keys };

static const struct key *find_key(const char *item, size_t length)
{
    for (int i = 0; i < KEYS; i++)
        if (strlen(keys[i].name) == length && strncmp(keys[i].name, item, length) == 0)
            return &keys[i];
    return NULL;
}

/* Numbers between commas, in brackets of any kind or none. -1: something else stands there. */
static int parse_numbers(double *numbers, int room, const char *text)
{
    int count = 0;
    text += strspn(text, "([ ");
    while (*text) {
        char *end;
        double number = strtod(text, &end);
        if (end == text || !isfinite(number) || count == room)
            return -1;
        numbers[count++] = number;
        text = end + strspn(end, " ");
        if (*text != ',')
            break;
        text += 1 + strspn(text + 1, " ");
    }
    return text[strspn(text, ")] ")] ? -1 : count;
}

static bool fits(const struct key *key, const double *numbers, int count)
{
    bool pair = key->least == 2;
    for (int i = 0; i < count; i++)
        if (!(numbers[i] >= key->low && numbers[i] <= key->high))
            return false;
    return count >= key->least && count <= key->most && (!pair || numbers[0] <= numbers[1]);
}

/* timm's one number is of brightness, contrast and saturation; hue has half a circle to either side. */
static bool set_jitter(double *jitter /* [COLOURS] */, const double *numbers, int count)
{
    for (int c = 0; c < COLOURS; c++)
        jitter[c] = c < count ? numbers[c] : 0;
    if (count == 1)
        jitter[COLOUR_CONTRAST] = jitter[COLOUR_SATURATION] = numbers[0];
    return count != 2 && jitter[COLOUR_HUE] <= 0.5;
}

int augment_set(struct augment *augment, const char *item, struct error *err)
{
    size_t length = strcspn(item, "=");
    const struct key *key = find_key(item, length);
    if (length == strlen("use_timm") && strncmp(item, "use_timm", length) == 0)
        return 0;
    if (!key)
        return error_set(err, EXIT_USAGE,
                         "--aug-cfg %s: the keys are scale, ratio, color_jitter, color_jitter_prob, gray_scale_prob, "
                         "hflip",
                         item);
    double numbers[COLOURS], *to = (double *)(void *)((char *)augment + key->offset);
    int count = item[length] ? parse_numbers(numbers, COLOURS, item + length + 1) : -1;
    bool right = fits(key, numbers, count);
    if (right && to == augment->jitter)
        right = set_jitter(to, numbers, count);
    else if (right)
        memcpy(to, numbers, (size_t)count * sizeof *to);
    if (right)
        return 0;
    static const char *const amounts[] = {"", "a number", "two numbers, the smaller first,"};
    return error_set(err, EXIT_USAGE, "--aug-cfg %s: %s takes %s from %g to %g%s", item, key->name,
                     to == augment->jitter ? "one, three or four numbers" : amounts[key->least], key->low, key->high,
                     to == augment->jitter ? " (the fourth, of hue, to 0.5)" : "");
}
