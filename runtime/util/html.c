#include "runtime/util/html.h"

#include <string.h>

static const char style[] =
    ":root{--page:#f6f7f9;--card:#fff;--text:#1c2024;--quiet:#687076;--line:#e3e6ea;--accent:#0b6e99;"
    "--shadow:0 1px 2px rgba(16,24,40,.06),0 4px 12px rgba(16,24,40,.06);color-scheme:light dark}\n"
    "@media(prefers-color-scheme:dark){:root{--page:#111315;--card:#1b1e21;--text:#eceeef;--quiet:#9ba1a6;"
    "--line:#2b2f33;--accent:#63c1e6;--shadow:none}}\n"
    "*{box-sizing:border-box}\n"
    "body{margin:0;background:var(--page);color:var(--text);"
    "font:16px/1.5 system-ui,-apple-system,\"Segoe UI\",Roboto,\"Helvetica Neue\",Arial,sans-serif}\n"
    "main{max-width:1180px;margin:0 auto;padding:48px 24px 72px}\n"
    "h1{margin:0;font-size:2rem;line-height:1.2;letter-spacing:-.02em}\n"
    ".lead{margin:.5rem 0 0;max-width:68ch;color:var(--quiet)}\n"
    "section{margin-top:44px}\n"
    "section header{display:flex;align-items:center;gap:18px;margin-bottom:16px;padding-bottom:12px;"
    "border-bottom:1px solid var(--line)}\n"
    "section header img,section header .broken{width:132px;height:132px;border-radius:12px;box-shadow:var(--shadow)}\n"
    "h2{margin:0;font-size:1.25rem;line-height:1.3;letter-spacing:-.01em;overflow-wrap:anywhere}\n"
    ".kind{display:block;font-size:.75rem;font-weight:600;letter-spacing:.06em;text-transform:uppercase;"
    "color:var(--accent)}\n"
    ".note{margin:.15rem 0 0;font-size:.875rem;color:var(--quiet)}\n"
    ".grid{display:grid;grid-template-columns:repeat(auto-fill,minmax(168px,1fr));gap:16px;margin:0;padding:0;"
    "list-style:none}\n"
    ".grid li{overflow:hidden;border:1px solid var(--line);border-radius:12px;background:var(--card);"
    "box-shadow:var(--shadow)}\n"
    "img,.broken{display:block;object-fit:cover}\n"
    ".grid img,.grid .broken{width:100%;aspect-ratio:1}\n"
    ".broken{display:grid;place-items:center;padding:8px;background:var(--line);color:var(--quiet);"
    "font-size:.8rem;text-align:center}\n"
    ".about{display:flex;align-items:baseline;justify-content:space-between;gap:10px;padding:8px 12px;"
    "font-size:.8125rem}\n"
    ".name{overflow:hidden;text-overflow:ellipsis;white-space:nowrap;color:var(--quiet)}\n"
    ".score{font-variant-numeric:tabular-nums;font-weight:600}\n"
    ".texts{margin:0 0 16px;padding:0;list-style:none;border:1px solid var(--line);border-radius:12px;"
    "background:var(--card);box-shadow:var(--shadow)}\n"
    ".texts li{display:flex;gap:14px;padding:9px 14px;border-top:1px solid var(--line)}\n"
    ".texts li:first-child{border-top:0}\n"
    ".texts .score{color:var(--accent)}\n"
    "table{border-collapse:collapse;font-variant-numeric:tabular-nums}\n"
    "th,td{padding:6px 14px 6px 0;border-bottom:1px solid var(--line);text-align:left}\n"
    "code{font:.875em ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}\n"
    "@media(max-width:560px){main{padding:28px 16px 48px}.grid{grid-template-columns:repeat(2,1fr);gap:10px}"
    "section header img{width:88px;height:88px}}\n";

void html_raw(struct html *page, const char *html)
{
    file_write(&page->writer, html, strlen(html));
}

void html_text(struct html *page, const char *text)
{
    static const char special[] = "&<>\"'";
    static const char *const entities[] = {"&amp;", "&lt;", "&gt;", "&quot;", "&#39;"};
    while (*text) {
        size_t plain = strcspn(text, special);
        file_write(&page->writer, text, plain);
        text += plain;
        if (*text)
            html_raw(page, entities[strchr(special, *text++) - special]);
    }
}

int html_begin(struct html *page, const char *path, const char *title, const char *lead, struct error *err)
{
    *page = (struct html){0};
    if (file_create(&page->writer, path, err) != 0)
        return -1;
    html_raw(page, "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"
                   "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>");
    html_text(page, title);
    html_raw(page, "</title>\n<style>\n");
    html_raw(page, style);
    html_raw(page, "</style>\n<main>\n<h1>");
    html_text(page, title);
    html_raw(page, "</h1>\n");
    if (lead) {
        html_raw(page, "<p class=\"lead\">");
        html_text(page, lead);
        html_raw(page, "</p>\n");
    }
    return 0;
}

int html_end(struct html *page, struct error *err)
{
    html_raw(page, "</main>\n</html>\n");
    return file_commit(&page->writer, err);
}

void html_discard(struct html *page)
{
    file_discard(&page->writer);
}
