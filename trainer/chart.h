/* Curves as inline SVG: axes with round numbers, a legend, and each point's numbers when the mouse is over it.
 *
 *     struct curve loss = {0};
 *     curve_add(&loss, 1, 5.4);
 *     struct chart chart = {.title = "Loss", .lines = {{.name = "training", .curve = &loss}}, .count = 1};
 *     chart_write(&page, &chart);
 *     curve_free(&loss);
 *
 * Colours and sizes are in chart_style, which the page holds once.
 */
#ifndef OCLIP_CHART_H
#define OCLIP_CHART_H

#include "runtime/util/html.h"

struct curve {
    double *x, *y; // [count], x ascending
    size_t count, room;
};
void curve_add(struct curve *curve, double x, double y); /* a y that is no number is left out */
void curve_free(struct curve *curve);

struct chart_line {
    const char *name;
    const struct curve *curve;
    int colour; /* 0 to 2 */
    bool dashed, faint;
};

struct chart {
    const char *title, *unit; /* the unit, "%" say, stands behind each number; may be NULL */
    struct chart_line lines[6];
    int count;
    bool from_zero;
};

extern const char chart_style[];
void chart_write(struct html *page, const struct chart *chart);

#endif
