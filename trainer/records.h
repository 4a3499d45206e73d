/* What a run writes down as it goes: files of one JSON object a line, each with the step it was made at.
 *
 *     FILE *results;
 *     if (records_open(&results, "runs/first", "results.jsonl", 120, &err) != 0) return -1;   // goes on after step 120
 *     record_write(results, json_pack("{s:i, s:f}", "step", 140, "val_loss", 2.5));
 *
 *     struct records records;
 *     records_begin(&records, "runs/first", "results.jsonl");
 *     for (json_t *record; (record = records_next(&records));)    // in the order of steps; gone at the next call
 *         printf("%g\n", json_real_or(record, "val_loss", 0));
 *
 * steps.jsonl      {"step", "epoch", "loss", "lr", "pairs_per_s"}, a line a step; a loss that is no number is null
 * results.jsonl    a line an epoch: the means of its steps, validation loss and recall
 * examples.jsonl   a line an epoch: what is found for a few photos and captions (examples.h)
 */
#ifndef OCLIP_RECORDS_H
#define OCLIP_RECORDS_H

#include "runtime/util/json.h"

#include <stdio.h>

/* Opens for appending. Records of steps after `step`, which a run that goes on makes again, are dropped, and a last
 * line that was cut off with them. */
int records_open(FILE **stream, const char *folder, const char *name, int step, struct error *err) MUST_CHECK;

/* Takes the reference; writes nothing where the stream is NULL. */
void record_write(FILE *stream, json_t *record);

struct records {
    FILE *stream; /* NULL: there is no such file, which holds no records */
    char *line;
    size_t room;
    json_t *record;
};
void records_begin(struct records *records, const char *folder, const char *name);
json_t *records_next(struct records *records); /* NULL: that was all; everything is closed then */

/* A number for json_pack("{s:o}"): JSON has no NaN and no infinity, they become null. */
json_t *record_number(double number);

#endif
