#include "tools/answer.h"

#include "tools/draw.h"
#include "tools/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* On a terminal a file's name may not move the cursor or hide what stands there. */
static void print_name(const char *name, bool terminal)
{
    for (; *name; name++) {
        bool is_control = (unsigned char)*name < ' ' || *name == 0x7F;
        putchar(terminal && is_control ? '?' : *name);
    }
}

static void print_found(const struct found *found, const struct answer_style *style)
{
    for (size_t i = 0; i < found->count; i++) {
        const struct finding *item = &found->items[i];
        printf("%.3f  ", (double)item->score);
        print_name(found_name(found, i), style->terminal);
        if (item->folded)
            printf("  (+%zu alike)", item->folded);
        putchar('\n');
        if (style->draw && found->collection->photos)
            draw_picture(found_name(found, i));
    }
}

void answer_lines(const struct answer *answer, const struct answer_style *style)
{
    if (style->heading) {
        fputs("# ", stdout);
        print_name(answer->query->words, style->terminal);
        putchar('\n');
    }
    print_found(&answer->pictures, style);
    print_found(&answer->texts, style);
    fflush(stdout);
}

static json_t *json_of(const struct found *found, const char *key)
{
    json_t *list = json_array();
    for (size_t i = 0; i < found->count; i++) {
        const struct finding *item = &found->items[i];
        json_t *object = json_pack("{s:o, s:o}", "score", text_json_score((double)item->score), key,
                                   text_json(found_name(found, i)));
        const struct photo *photo = found->collection->photos ? &found->collection->photos[item->row] : NULL;
        if (photo)
            json_object_update_new(object,
                                   json_pack("{s:i, s:i, s:s, s:I}", "width", photo->width, "height", photo->height,
                                             "taken", photo->taken, "alike", (json_int_t)item->folded));
        json_array_append_new(list, object);
    }
    return list;
}

static const char *kind_of(const struct query *query)
{
    return query_is_picture(query) ? "picture" : query_is_of_texts(query) ? "text" : "mixed";
}

void answer_json(const struct answer *answer)
{
    json_t *object =
        json_pack("{s:o, s:s, s:o, s:o}", "query", text_json(answer->query->words), "kind", kind_of(answer->query),
                  "pictures", json_of(&answer->pictures, "path"), "texts", json_of(&answer->texts, "text"));
    if (answer->query->id)
        json_object_set(object, "id", answer->query->id);
    text_print_json(object);
}

void answer_paths(const struct answer *answer)
{
    const struct found *kinds[] = {&answer->pictures, &answer->texts};
    for (size_t k = 0; k < 2; k++)
        for (size_t i = 0; i < kinds[k]->count; i++) {
            fputs(found_name(kinds[k], i), stdout);
            putchar('\0');
        }
    fflush(stdout);
}

void answer_page(struct html *page, const struct answer *answer)
{
    const struct found *pictures = &answer->pictures, *texts = &answer->texts;
    size_t count = pictures->count + texts->count;
    struct html_result *results = mem_new(count, sizeof *results); // [count]
    for (size_t i = 0; i < pictures->count; i++)
        results[i] = (struct html_result){
            .picture = found_name(pictures, i), .score = pictures->items[i].score, .alike = pictures->items[i].folded};
    for (size_t i = 0; i < texts->count; i++)
        results[pictures->count + i] =
            (struct html_result){.text = found_name(texts, i), .score = texts->items[i].score};
    bool is_picture = query_is_picture(answer->query);
    html_section(page, &(struct html_section){.query_text = is_picture ? NULL : answer->query->words,
                                              .query_picture = is_picture ? answer->query->terms[0].text : NULL,
                                              .note = count ? NULL : "Nothing matches.",
                                              .results = results,
                                              .count = (int)count});
    free(results);
}
