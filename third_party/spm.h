/* The SentencePiece library behind C. spm_unit.cc where it was found, else spm_missing.c.
 *
 *     struct spm *model;
 *     if (spm_open(&model, bytes, size) != 0) ...       // no model, or no library: spm_built()
 *     int *ids;
 *     size_t count = spm_encode(&ids, model, text, strlen(text));
 *     free(ids);
 *     spm_close(model);
 *
 * Source: Kudo and Richardson 2018. Any number of threads may use one model.
 */
#ifndef OCLIP_SPM_H
#define OCLIP_SPM_H

#include <stddef.h>

struct spm;

int spm_built(void); /* whether the library is part of this build */

/* A serialised ModelProto; -1 if it is none. */
int spm_open(struct spm **out, const char *bytes, size_t size); // bytes: [size]
void spm_close(struct spm *model);                              /* NULL is allowed */

int spm_size(const struct spm *model);

/* A piece's id, or -1. */
int spm_find(const struct spm *model, const char *piece);

/* The pieces of a text as ids, unknown ones that of <unk>; caller frees. */
size_t spm_encode(int **ids, const struct spm *model, const char *text,
                  size_t bytes); // ids: [returned], text: [bytes], UTF-8

#endif
