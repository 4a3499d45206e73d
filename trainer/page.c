#include "trainer/page.h"

#include "runtime/util/lines.h"
#include "trainer/chart.h"
#include "trainer/records.h"

#include <stdlib.h>
#include <string.h>

enum { TABLE_ROWS = 200, SHORT = -1 };

static const char page_style[] =
    ".tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(124px,1fr));gap:12px;margin:28px 0 0}\n"
    ".tiles div{padding:12px 14px;border:1px solid var(--line);border-radius:12px;background:var(--card);"
    "box-shadow:var(--shadow)}\n"
    ".tiles dt{font-size:.8125rem;color:var(--quiet)}\n"
    ".tiles dd{margin:0;font-size:1.375rem;font-weight:600;font-variant-numeric:tabular-nums}\n"
    "section>h2{margin-bottom:14px}\n"
    "details>summary{cursor:pointer;color:var(--accent)}\n"
    ".scroll{overflow-x:auto;font-size:.875rem}.scroll th{color:var(--quiet);font-weight:600}\n"
    ".scroll td,.scroll th{white-space:nowrap}\n"
    ".settings{columns:3 260px;column-gap:28px;margin:14px 0 0;font-size:.875rem}\n"
    ".settings div{display:flex;justify-content:space-between;gap:12px;padding:4px 0;"
    "border-bottom:1px solid var(--line);break-inside:avoid}\n"
    ".settings dt{color:var(--quiet)}.settings dd{margin:0;text-align:right;overflow-wrap:anywhere}\n";

/* What is told of an epoch, in results.jsonl and on the page. */
static const struct column {
    const char *key, *name;
    int decimals; /* SHORT: as few digits as will do */
    bool percent;
} columns[] = {
    {"epoch", "epoch", 0, false},
    {"step", "step", 0, false},
    {"train_loss", "loss", 4, false},
    {"val_loss", "validation loss", 4, false},
    {"text_retrieval_recall@1", "image→text R@1", 1, true},
    {"text_retrieval_recall@5", "image→text R@5", 1, true},
    {"text_retrieval_recall@10", "image→text R@10", 1, true},
    {"image_retrieval_recall@1", "text→image R@1", 1, true},
    {"image_retrieval_recall@5", "text→image R@5", 1, true},
    {"image_retrieval_recall@10", "text→image R@10", 1, true},
    {"lr", "learning rate", SHORT, false},
    {"pairs_per_s", "pairs/s", 0, false},
    {"data_wait_share", "waited for data", 1, true},
};
enum { COLUMNS = sizeof columns / sizeof *columns };

/* The columns of the tiles at the top. */
static const struct {
    const char *key, *name;
} tiles[] = {
    {"epoch", "epochs"},
    {"step", "steps"},
    {"train_loss", "loss"},
    {"val_loss", "validation loss"},
    {"text_retrieval_recall@10", "image→text R@10"},
    {"image_retrieval_recall@10", "text→image R@10"},
    {"pairs_per_s", "pairs/s"},
    {"data_wait_share", "waited for data"},
};

static const struct column *column_of(const char *key)
{
    int i = 0;
    while (strcmp(columns[i].key, key) != 0)
        i++;
    return &columns[i];
}

/* Nothing for what the record does not have. */
static void format_value(char text[32], const json_t *record, const struct column *column)
{
    const json_t *value = json_object_get(record, column->key);
    double number = json_number_value(value) * (column->percent ? 100 : 1);
    if (!json_is_number(value))
        text[0] = '\0';
    else if (column->decimals == SHORT)
        snprintf(text, 32, "%.3g", number);
    else
        snprintf(text, 32, "%.*f%s", column->decimals, number, column->percent ? " %" : "");
}

static void write_tiles(struct html *page, const json_t *last)
{
    char text[32];
    html_raw(page, "<dl class=\"tiles\">\n");
    for (size_t i = 0; i < sizeof tiles / sizeof *tiles; i++) {
        format_value(text, last, column_of(tiles[i].key));
        if (text[0])
            fprintf(page->writer.stream, "<div><dt>%s</dt><dd>%s</dd></div>\n", tiles[i].name, text);
    }
    html_raw(page, "</dl>\n");
}

/* A member of each record as a curve over steps. */
static void read_curves(struct curve *curves, const char *const *keys, int count, const char *folder, const char *file,
                        double factor)
{
    struct records records;
    records_begin(&records, folder, file);
    for (json_t *record; (record = records_next(&records));)
        for (int i = 0; i < count; i++) {
            const json_t *value = json_object_get(record, keys[i]);
            if (json_is_number(value))
                curve_add(&curves[i], json_int_or(record, "step", 0), factor * json_number_value(value));
        }
}

static void write_charts(struct html *page, const char *folder)
{
    enum { LOSS, RATE, SPEED, STEP_CURVES };
    static const char *const of_steps[] = {"loss", "lr", "pairs_per_s"}, *const of_epochs[] = {"val_loss"};
    static const char *const recalls[] = {"text_retrieval_recall@1",  "text_retrieval_recall@5",
                                          "text_retrieval_recall@10", "image_retrieval_recall@1",
                                          "image_retrieval_recall@5", "image_retrieval_recall@10"};
    struct curve steps[STEP_CURVES] = {0}, validation = {0}, recall[6] = {0};
    read_curves(steps, of_steps, STEP_CURVES, folder, "steps.jsonl", 1);
    read_curves(&validation, of_epochs, 1, folder, "results.jsonl", 1);
    read_curves(recall, recalls, 6, folder, "results.jsonl", 100);
    html_raw(page, "<div class=\"charts\">\n");
    chart_write(page, &(struct chart){.title = "Loss",
                                      .lines = {{.name = "training", .curve = &steps[LOSS], .faint = true},
                                                {.name = "validation", .curve = &validation, .colour = 1}},
                                      .count = validation.count ? 2 : 1});
    struct chart chart = {.title = "Recall on validation photos", .unit = " %", .count = 6, .from_zero = true};
    for (int i = 0; i < 6; i++)
        chart.lines[i] = (struct chart_line){
            .name = column_of(recalls[i])->name, .curve = &recall[i], .colour = i % 3, .dashed = i >= 3};
    if (recall[0].count)
        chart_write(page, &chart);
    chart_write(page, &(struct chart){.title = "Learning rate",
                                      .lines = {{.name = "of the heads", .curve = &steps[RATE]}},
                                      .count = 1,
                                      .from_zero = true});
    chart_write(page, &(struct chart){.title = "Throughput",
                                      .lines = {{.name = "pairs a second", .curve = &steps[SPEED]}},
                                      .count = 1,
                                      .from_zero = true});
    html_raw(page, "</div>\n");
    for (int i = 0; i < STEP_CURVES; i++)
        curve_free(&steps[i]);
    for (int i = 0; i < 6; i++)
        curve_free(&recall[i]);
    curve_free(&validation);
}

static void write_epochs(struct html *page, const char *folder, int epochs)
{
    struct records records;
    char text[32];
    int number = 0;
    html_raw(page,
             "<section><h2>Epochs</h2>\n<details><summary>All numbers</summary><div class=\"scroll\"><table>\n<tr>");
    for (int i = 0; i < COLUMNS; i++)
        fprintf(page->writer.stream, "<th>%s</th>", columns[i].name);
    html_raw(page, "</tr>\n");
    records_begin(&records, folder, "results.jsonl");
    for (json_t *record; (record = records_next(&records));) {
        if (number++ < epochs - TABLE_ROWS)
            continue;
        html_raw(page, "<tr>");
        for (int i = 0; i < COLUMNS; i++) {
            format_value(text, record, &columns[i]);
            fprintf(page->writer.stream, "<td>%s</td>", text);
        }
        html_raw(page, "</tr>\n");
    }
    html_raw(page, "</table></div></details></section>\n");
}

/* Those that were given or have a default. */
static void write_settings(struct html *page, const char *folder)
{
    struct string_list lines = {0};
    struct error ignored;
    char *path = path_join(folder, "params.txt");
    int result = lines_read(&lines, path, LINES_FILLED, &ignored);
    free(path);
    if (result != 0)
        return;
    html_raw(page, "<section><h2>Settings</h2>\n<dl class=\"settings\">\n");
    for (size_t i = 0; i < lines.count; i++) {
        char *value = strstr(lines.items[i], ": ");
        if (!value)
            continue;
        *value = '\0';
        html_raw(page, "<div><dt>");
        html_text(page, lines.items[i]);
        html_raw(page, "</dt><dd>");
        html_text(page, value + 2);
        html_raw(page, "</dd></div>\n");
    }
    html_raw(page, "</dl></section>\n");
    string_list_free(&lines);
}

static json_t *read_last(int *count, const char *folder)
{
    struct records records;
    json_t *last = NULL;
    *count = 0;
    records_begin(&records, folder, "results.jsonl");
    for (json_t *record; (record = records_next(&records)); ++*count) {
        json_decref(last);
        last = json_incref(record);
    }
    return last;
}

int page_write(const char *folder, struct error *err)
{
    struct html page;
    int epochs;
    json_t *last = read_last(&epochs, folder);
    const char *slash = strrchr(folder, '/');
    char *path = path_join(folder, "report.html"), *title = mem_format("Training run %s", slash ? slash + 1 : folder);
    int result = html_begin(&page, path, title, NULL, err);
    free(title);
    free(path);
    if (result == 0) {
        html_raw(&page, "<style>\n");
        html_raw(&page, page_style);
        html_raw(&page, chart_style);
        html_raw(&page, page_examples_style);
        html_raw(&page, "</style>\n");
        write_tiles(&page, last);
        write_charts(&page, folder);
        page_examples(&page, folder);
        write_epochs(&page, folder, epochs);
        write_settings(&page, folder);
        result = html_end(&page, err);
    }
    json_decref(last);
    return result;
}
