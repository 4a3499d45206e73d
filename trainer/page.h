/* report.html: a run on one page, made of the files in its folder alone, so that it can be made at any time.
 *
 *     if (page_write("runs/first", &err) != 0) ...
 *
 * Reads results.jsonl, steps.jsonl, examples.jsonl (records.h) and params.txt; those not there are left out. The page
 * needs no other file; its size is bounded, whatever the length of the run.
 */
#ifndef OCLIP_PAGE_H
#define OCLIP_PAGE_H

#include "runtime/util/html.h"

int page_write(const char *folder, struct error *err) MUST_CHECK;

/* page_examples.c: the last epoch's examples, and what was found earlier. */
extern const char page_examples_style[];
void page_examples(struct html *page, const char *folder);

#endif
