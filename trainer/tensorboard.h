/* Scalars in the files that TensorBoard reads.
 *
 *     FILE *events;
 *     if (tensorboard_open(&events, "runs/first/tensorboard", 0, &err) != 0) return -1;
 *     tensorboard_scalar(events, "train/loss", 1, 3.21);
 *     fclose(events);
 *
 * A file is a row of TFRecords, each an Event in protocol buffers' wire form. Sources:
 * tensorflow/core/lib/io/record_writer.h (framing), tensorflow/core/util/event.proto and framework/summary.proto (field
 * numbers), RFC 3720, appendix B.4 (CRC-32C).
 */
#ifndef OCLIP_TENSORBOARD_H
#define OCLIP_TENSORBOARD_H

#include "runtime/util/error.h"

#include <stdio.h>

/* Begins a new file in `folder`, which is made. What older files there say of steps after `step` is void: TensorBoard
 * shows it no longer. */
int tensorboard_open(FILE **events, const char *folder, int step, struct error *err) MUST_CHECK;

void tensorboard_scalar(FILE *events, const char *tag, int step, double value);

#endif
