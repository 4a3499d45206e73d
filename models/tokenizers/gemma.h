/* Gemma's tokenizer as SigLIP 2 has it: blanks become U+2581, the characters of the whole text are merged by byte
 * pairs, one that the vocabulary lacks as its bytes ("<0xE2>"), and <eos> follows.
 *
 *     tokenizer_open(&tokenizer, folder, &err);     // tokenizer.h; picks gemma_kind for a BPE with byte_fallback
 *
 * Everything comes from tokenizer.json. Texts get lower case, as SigLIP 2 was trained, where its normalizer says so, or
 * tokenizer_config.json by do_lower_case or by naming transformers' Siglip2Tokenizer; open_clip's folders clean texts
 * themselves. The model saw its texts padded to 64 ids: tokenizer_pad_id(). Sources: Tschannen et al. 2025 (SigLIP 2);
 * Hugging Face's `tokenizers`; transformers' Siglip2Tokenizer.
 */
#ifndef OCLIP_GEMMA_H
#define OCLIP_GEMMA_H

#include "models/tokenizers/tokenizer_kind.h"

extern const struct tokenizer_kind gemma_kind;

#endif
