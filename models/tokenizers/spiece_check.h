/* A check of what the SentencePiece library believes of a model file: the rules of its normaliser.
 *
 *     if (!spiece_check(bytes, size)) ...           // not a model, or one that would have the library read elsewhere
 *
 * The rules are a Darts double array and the texts that its values point into; the library follows both without looking
 * at their sizes. Sources: sentencepiece_model.proto; Protocol Buffers' encoding; darts-clone.
 */
#ifndef OCLIP_SPIECE_CHECK_H
#define OCLIP_SPIECE_CHECK_H

#include <stdbool.h>
#include <stddef.h>

bool spiece_check(const char *bytes, size_t size); // bytes: [size]

#endif
