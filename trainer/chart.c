#include "trainer/chart.h"

#include <math.h>
#include <stdlib.h>

enum { WIDTH = 520, HEIGHT = 270, LEFT = 56, RIGHT = 508, TOP = 12, BOTTOM = 232, POINTS = 150, MARKED = 40 };

const char chart_style[] =
    ".charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,430px),1fr));gap:16px;margin-top:28px}"
    "\n"
    ".chart{margin:0;padding:14px 16px 12px;border:1px solid var(--line);border-radius:12px;background:var(--card);"
    "box-shadow:var(--shadow);--c0:#0b6e99;--c1:#c2571a;--c2:#6b4fbb}\n"
    "@media(prefers-color-scheme:dark){.chart{--c0:#63c1e6;--c1:#f0a36b;--c2:#b5a1f5}}\n"
    ".chart figcaption{font-weight:600}\n"
    ".chart>svg{display:block;width:100%;height:auto}\n"
    ".chart text{font-size:13px;fill:var(--quiet);font-variant-numeric:tabular-nums}\n"
    ".chart .grid-line{stroke:var(--line)}\n"
    ".chart path{fill:none;stroke-width:2;stroke-linejoin:round}\n"
    ".chart .c0{--c:var(--c0)}.chart .c1{--c:var(--c1)}.chart .c2{--c:var(--c2)}\n"
    ".chart path,.chart line.key{stroke:var(--c)}.chart circle{fill:var(--c);pointer-events:all}\n"
    ".chart .dashed{stroke-dasharray:6 4}.chart .faint path{opacity:.55;stroke-width:1.5}\n"
    ".chart circle.hidden{opacity:0}.chart circle:hover{opacity:1;stroke:var(--card);stroke-width:2}\n"
    "@media(max-width:560px){.chart>svg{overflow:visible}.chart text{font-size:16px}}\n"
    ".legend{display:flex;flex-wrap:wrap;gap:2px 16px;margin:2px 0 0;padding:0;list-style:none;font-size:.8125rem;"
    "color:var(--quiet)}\n"
    ".legend svg{display:inline-block;width:24px;height:8px;margin-right:6px;vertical-align:middle}\n"
    ".legend line{stroke-width:3}\n";

void curve_add(struct curve *curve, double x, double y)
{
    if (!isfinite(y))
        return;
    if (curve->count == curve->room) {
        curve->room = curve->room ? 2 * curve->room : 64;
        curve->x = mem_grow(curve->x, curve->room, sizeof *curve->x);
        curve->y = mem_grow(curve->y, curve->room, sizeof *curve->y);
    }
    curve->x[curve->count] = x;
    curve->y[curve->count++] = y;
}

void curve_free(struct curve *curve)
{
    free(curve->x);
    free(curve->y);
    *curve = (struct curve){0};
}

/* A long curve as the means of equal parts of it, which stand at their last x. */
static struct curve thinned(const struct curve *curve)
{
    struct curve thin = {0};
    size_t points = curve->count < POINTS ? curve->count : POINTS;
    for (size_t i = 0; i < points; i++) {
        size_t first = i * curve->count / points, end = (i + 1) * curve->count / points;
        double sum = 0;
        for (size_t j = first; j < end; j++)
            sum += curve->y[j];
        curve_add(&thin, curve->x[end - 1], sum / (double)(end - first));
    }
    return thin;
}

/* ---- axes ---- */

struct axis {
    double low, high, tick;
    double from, to; /* where low and high are drawn */
};

static double place(const struct axis *axis, double value)
{
    return axis->from + (value - axis->low) / (axis->high - axis->low) * (axis->to - axis->from);
}

/* 1, 2 or 5 times a power of ten, so that about `wanted` of them span the axis. */
static double round_tick(double span, int wanted)
{
    double raw = span / wanted, power = pow(10, floor(log10(raw)));
    double lead = raw / power;
    return power * (lead <= 1 ? 1 : lead <= 2 ? 2 : lead <= 5 ? 5 : 10);
}

static void widen(struct axis *axis, const double *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        axis->low = fmin(axis->low, values[i]);
        axis->high = fmax(axis->high, values[i]);
    }
}

/* Ends at round numbers, except for an axis of steps, which ends at the last one. */
static void finish_axis(struct axis *axis, int wanted, bool rounds)
{
    if (!(axis->low < axis->high)) {
        double value = isfinite(axis->low) ? axis->low : 0;
        axis->low = value - (rounds && value > 0 ? value : 1);
        axis->high = value + 1e-3 * fabs(value) + (value == 0);
    }
    axis->tick = round_tick(axis->high - axis->low, wanted);
    if (rounds) {
        axis->low = floor(axis->low / axis->tick + 1e-9) * axis->tick;
        axis->high = ceil(axis->high / axis->tick - 1e-9) * axis->tick;
    }
}

static void write_axes(FILE *out, const struct axis *x, const struct axis *y, const char *unit)
{
    for (double value = ceil(y->low / y->tick - 1e-9) * y->tick; value <= y->high + 1e-9 * y->tick; value += y->tick)
        fprintf(out,
                "<line class=\"grid-line\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>"
                "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%.6g%s</text>\n",
                LEFT, RIGHT, place(y, value), place(y, value), LEFT - 8, place(y, value) + 4.5,
                fabs(value) < 1e-9 * y->tick ? 0 : value, unit);
    double tick = fmax(x->tick, 1);
    for (double value = x->low; value <= x->high + 1e-9 * tick; value += tick)
        fprintf(out, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%.6g</text>\n", place(x, value), BOTTOM + 19,
                value);
    fprintf(out, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">step</text>\n", RIGHT, HEIGHT - 3);
}

/* ---- lines ---- */

static void write_line(struct html *page, const struct chart_line *line, const struct axis *x, const struct axis *y,
                       const char *unit)
{
    FILE *out = page->writer.stream;
    struct curve curve = thinned(line->curve);
    fprintf(out, "<g class=\"c%d%s\"><path%s d=\"", line->colour, line->faint ? " faint" : "",
            line->dashed ? " class=\"dashed\"" : "");
    for (size_t i = 0; i < curve.count; i++)
        fprintf(out, "%s%.1f %.1f", i ? "L" : "M", place(x, curve.x[i]), place(y, curve.y[i]));
    html_raw(page, "\"/>\n");
    bool hidden = curve.count > MARKED;
    for (size_t i = 0; i < curve.count; i++) {
        fprintf(out, "<circle%s cx=\"%.1f\" cy=\"%.1f\" r=\"%s\"><title>", hidden ? " class=\"hidden\"" : "",
                place(x, curve.x[i]), place(y, curve.y[i]), hidden ? "5" : "3");
        html_text(page, line->name);
        fprintf(out, ", step %.0f: %.5g%s</title></circle>\n", curve.x[i], curve.y[i], unit);
    }
    html_raw(page, "</g>\n");
    curve_free(&curve);
}

static void write_legend(struct html *page, const struct chart *chart)
{
    html_raw(page, "<ul class=\"legend\">");
    for (int i = 0; i < chart->count; i++) {
        const struct chart_line *line = &chart->lines[i];
        fprintf(page->writer.stream,
                "<li class=\"c%d\"><svg aria-hidden=\"true\" viewBox=\"0 0 24 8\"><line class=\"key%s\" x2=\"24\" "
                "y1=\"4\" y2=\"4\"/></svg>",
                line->colour, line->dashed ? " dashed" : "");
        html_text(page, line->name);
        html_raw(page, "</li>");
    }
    html_raw(page, "</ul>\n");
}

void chart_write(struct html *page, const struct chart *chart)
{
    struct axis x = {.low = 0, .high = -INFINITY, .from = LEFT, .to = RIGHT};
    struct axis y = {.low = chart->from_zero ? 0 : INFINITY, .high = -INFINITY, .from = BOTTOM, .to = TOP};
    const char *unit = chart->unit ? chart->unit : "";
    for (int i = 0; i < chart->count; i++) {
        struct curve thin = thinned(chart->lines[i].curve);
        widen(&x, thin.x, thin.count);
        widen(&y, thin.y, thin.count);
        curve_free(&thin);
    }
    finish_axis(&x, 6, false);
    finish_axis(&y, 5, true);
    html_raw(page, "<figure class=\"chart\"><figcaption>");
    html_text(page, chart->title);
    html_raw(page, "</figcaption>\n");
    write_legend(page, chart);
    fprintf(page->writer.stream, "<svg role=\"img\" viewBox=\"0 0 %d %d\" aria-label=\"%s\">\n", WIDTH, HEIGHT,
            chart->title);
    write_axes(page->writer.stream, &x, &y, unit);
    for (int i = 0; i < chart->count; i++)
        write_line(page, &chart->lines[i], &x, &y, unit);
    html_raw(page, "</svg></figure>\n");
}
