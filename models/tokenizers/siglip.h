/* SigLIP's tokenizer: lower case, no ASCII punctuation, then the SentencePiece model spiece.model, then </s>.
 *
 *     tokenizer_open(&tokenizer, folder, &err);     // tokenizer.h; picks siglip_kind for a folder with spiece.model
 *
 * do_lower_case, legacy, the special tokens and added_tokens_decoder come from tokenizer_config.json. The model saw its
 * texts padded with pad_token to 64 ids, so padding counts: tokenizer_pad_id(). Sources: Zhai et al. 2023 (SigLIP);
 * transformers' SiglipTokenizer, whose steps are followed to the letter.
 */
#ifndef OCLIP_SIGLIP_H
#define OCLIP_SIGLIP_H

#include "models/tokenizers/tokenizer_kind.h"

extern const struct tokenizer_kind siglip_kind;

#endif
