"""Writes siglip/: a tiny SentencePiece model, and texts with the ids that transformers' SiglipTokenizer gives them.

    pip install sentencepiece==0.2.3 transformers==5.23.0
    python tests/goldens/make_siglip.py

A group of cases.json (token_cases.py) has a "config": options for tokenizer_config.json.
"""
import json
import pathlib
import tempfile
import unicodedata

import sentencepiece
from token_cases import make_case, write_groups
from transformers import SiglipTokenizer

HERE = pathlib.Path(__file__).parent
FOLDER = HERE / "siglip"
LIMIT = 64

GROUPS = [{}, {"do_lower_case": False}, {"legacy": False}]

TEXTS = [
    "", " ", "\n\t ", "a", ".", "...", "A white blouse on a wooden floor.", "A photo of: apples, ORANGES & pears!", "it's O'Neill's", "  many   blanks \t here  ",
    "snake_case kebab-case a/b\\c <tag attr='x'> &amp;", "1234567890 3.14 50%", "unaffable qzxqzx zzzz",
    # special tokens: at the beginning, the end, twice, in other cases, apart
    "</s>", "</s> a", "a </s>", "a</s></s>b", "<unk> apples <unk>", "<pad> <s> </S> <UNK> < /s>", "!</s>", " </s>", "apples </s> ! </s> oranges", "\u2581</s>",
    # the blank's own sign, and what becomes a blank
    "\u2581", "a\u2581b \u2581 c", "\u2581\u2581a", "a\u00a0b\u3000c\u2003d\u2028e\u0085f\x1cg\u200bh",
    # accents, composed and not, widths, ligatures: the model's own normaliser
    "Cr\u00e8me br\u00fbl\u00e9e cafe\u0301", "\ufb01ne \uff2c\uff2f\uff35\uff24 \u2460 \u2126 \u00bd", "\u0130stanbul \u039f\u0394\u039f\u03a3 \u03a3 Stra\u00dfe",
    "\u041f\u0440\u0438\u0432\u0435\u0442", "\u4f60\u597d\uff0c\u4e16\u754c", "\u3053\u3093\u306b\u3061\u306f \uff76\uff9e", "\uc548\ub155 \u1112\u1161\u11ab", "a dog \U0001f436 \U0001f468\u200d\U0001f469", "\U0001f436</s>\U0001f436 \U0001f436",
    "a\x01b\x7fc", "\ufffd \ue000 \ufeffx", "\u2019quoted\u2019 \u201cso\u201d \u2026", "x" * 200,
]
BROKEN = [b"\xff", b"caf\xe9 au lait", b"</s\xff> \xe2\x96"]


def write_normaliser(path):
    """A few of NFKC's rules instead of all, which take 240 kB."""
    rules = {c: unicodedata.normalize("NFKC", c) for c in "".join(TEXTS)} | {"e\u0301": "\u00e9"}
    spell = lambda text: " ".join(f"{ord(c):X}" for c in text)
    path.write_text("".join(f"{spell(a)}\t{spell(b)}\n" for a, b in rules.items() if a != b))


def train():
    with open(HERE.parent / "sample/captions.csv", encoding="utf-8") as file:
        captions = [line.split(",", 1)[-1].strip() for line in file][1:]
    rules = FOLDER / "rules.tsv"
    write_normaliser(rules)
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(captions), model_prefix=str(FOLDER / "spiece"), vocab_size=300, pad_id=0, eos_id=1, unk_id=2, bos_id=-1,
        normalization_rule_tsv=str(rules), num_threads=1, minloglevel=2)
    rules.unlink()
    (FOLDER / "spiece.vocab").unlink()


def make_group(config):
    with tempfile.TemporaryDirectory() as folder:
        (pathlib.Path(folder) / "spiece.model").write_bytes((FOLDER / "spiece.model").read_bytes())
        (pathlib.Path(folder) / "tokenizer_config.json").write_text(json.dumps(config))
        tokenizer = SiglipTokenizer.from_pretrained(folder)

    def encode(text, limit):
        return tokenizer(text, truncation=True, max_length=limit).input_ids

    cases = [make_case(encode, text, LIMIT) for text in TEXTS + BROKEN]
    cases += [make_case(encode, "apples </s> oranges", limit) for limit in range(2, 12)]
    return {"config": config, "cases": cases + [make_case(encode, "A very long text, again. ", LIMIT, 1000)]}


def main():
    FOLDER.mkdir(exist_ok=True)
    train()
    write_groups(FOLDER / "cases.json", [make_group(config) for config in GROUPS])


main()
