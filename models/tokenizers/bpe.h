/* CLIP's byte-pair tokenizer: normalise, cut into words, then merge the bytes of each word ("climbing" ->
 * "climbing</w>", "oclip" -> "oc" "lip</w>") between <|startoftext|> and <|endoftext|>.
 *
 *     tokenizer_open(&tokenizer, folder, &err);     // tokenizer.h; picks bpe_kind for such a folder
 *
 * The vocabulary comes from tokenizer.json where there is one, else from vocab.json and merges.txt, else from
 * bpe_simple_vocab_16e6.txt.gz. Folders of transformers get the ids of CLIPTokenizerFast, those of open_clip and those
 * that have only the packed list get open_clip's SimpleTokenizer's (tokenizer_files.h). The names of the special tokens
 * come from tokenizer_config.json, special_tokens_map.json, or are CLIP's. Sources: Sennrich et al. 2016 (BPE), Radford
 * et al. 2019 (bytes) and 2021 (CLIP), Hugging Face's `tokenizers`.
 */
#ifndef OCLIP_BPE_H
#define OCLIP_BPE_H

#include "models/tokenizers/tokenizer_kind.h"

extern const struct tokenizer_kind bpe_kind;

#endif
