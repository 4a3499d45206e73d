/* BERT's tokenizer: normalise, cut at blanks and punctuation, then the longest pieces of the vocabulary that make up
 * each word ("climbing" -> "climb" "##ing"), or [UNK].
 *
 *     tokenizer_open(&tokenizer, folder, &err);     // tokenizer.h; picks wordpiece_kind for such a folder
 *
 * The vocabulary comes from tokenizer.json where there is one, else from vocab.txt; the options from
 * tokenizer_config.json, where that is silent from tokenizer.json; the names of [CLS], [SEP] and [UNK] from
 * tokenizer_config.json, special_tokens_map.json, or BERT's. Sources: Wu et al. 2016 (WordPiece), Devlin et al. 2019
 * (BERT), Hugging Face's `tokenizers`.
 */
#ifndef OCLIP_WORDPIECE_H
#define OCLIP_WORDPIECE_H

#include "models/tokenizers/tokenizer_kind.h"

extern const struct tokenizer_kind wordpiece_kind;

#endif
