"""Writes gemma/: a small tokenizer.json as SigLIP 2's folders have it, and texts with the ids that transformers' classes
give them.

    pip install tokenizers==0.23.3 transformers==5.23.0
    python tests/goldens/make_gemma.py

A group of cases.json (token_cases.py) has a "config": what stands in tokenizer_config.json, and a "normalizer" that takes
the place of tokenizer.json's.
"""
import json
import pathlib
import random
import tempfile

from token_cases import make_case, write_groups
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import GemmaTokenizer, PreTrainedTokenizerFast, Siglip2Tokenizer

HERE = pathlib.Path(__file__).parent
FOLDER = HERE / "gemma"
LIMIT = 64

SPECIALS = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"]
ADDED = ["\n\n", "\n\n\n", "\u2581\u2581", "\u2581\u2581\u2581", "<table>", "<unused0>"]
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
BLANKS = normalizers.Replace(" ", "\u2581")
ENDS = {"add_bos_token": False, "add_eos_token": True}
GROUPS = [  # as the hub has it; by the class that lowers case; as that class saves it; and by the option, which
            # transformers' GemmaTokenizer forgets: the one that knows it is the reference
    (GemmaTokenizer, {"tokenizer_class": "GemmaTokenizer", **ENDS}, BLANKS),
    (Siglip2Tokenizer, {"tokenizer_class": "Siglip2Tokenizer"}, BLANKS),
    (PreTrainedTokenizerFast, {}, normalizers.Sequence([normalizers.Lowercase(), BLANKS])),
    (Siglip2Tokenizer, {"tokenizer_class": "GemmaTokenizer", "do_lower_case": True, **ENDS}, BLANKS),
]

MORE = ["cr\u00e8me br\u00fbl\u00e9e caf\u00e9", "\u041f\u0440\u0438\u0432\u0435\u0442, \u043c\u0438\u0440", "\u4f60\u597d\uff0c\u4e16\u754c", "\u03a3\u03af\u03c3\u03c5\u03c6\u03bf\u03c2"] * 3
TEXTS = [
    "", " ", "   ", "\n", "\n\n", " \n\n\n\n ", "\t", "a", ".", "A white blouse on a wooden floor.", "this is a photo of apples, ORANGES & pears!",
    "it's O'Neill's", "  many   blanks \t here  ", "snake_case kebab-case a/b\\c <tag attr='x'> &amp;", "1234567890 3.14 50%", "unaffable qzxqzx zzzz",
    # special and added tokens, whole and not, in other cases
    "<eos>", "<bos>a<eos>b<pad>", "<pad><pad> <mask>", "<EOS> <Table> <table>x</table>", "<unused0><unused1>", "< eos>", "<unk> apples <unk>", "\u2581\u2581\u2581\u2581\u2581", "a\u2581b \u2581 c", "<0x41> <0x0A>",
    "A Photo Album of apples", "a photo album", "PHOTO\u2581ALBUM photo  album",
    # letters whose lower case is special; scripts; what becomes bytes
    "\u0130stanbul \u039f\u0394\u039f\u03a3 \u03a3 Stra\u00dfe \u1e9e \u01c5", "Cr\u00e8me br\u00fbl\u00e9e cafe\u0301 CAF\u00c9", "\ufb01ne \uff2c\uff2f \u2460 \u2126 \u00bd", "\u041f\u0440\u0438\u0432\u0435\u0442, \u043c\u0438\u0440!",
    "\u4f60\u597d\uff0c\u4e16\u754c\uff01", "\u3053\u3093\u306b\u3061\u306f", "\uc548\ub155 \u1112\u1161\u11ab", "\u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627", "a dog \U0001f436 \U0001f468\u200d\U0001f469", "\U0001d49c\U0010fffd\ue000",
    "a\x01b\x7fc\u0085d\u200be\ufefff", "a\u00a0b\u3000c\u2028d\x1ce", "x" * 300, "ab" * 150, "\u2019quoted\u2019 \u201cso\u201d \u2026",
]
BROKEN = [b"\xff", b"caf\xe9 au lait", b"<eos\xff> \xe2\x96", b"\xf0\x9f\x90"]


def captions():
    with open(HERE.parent / "sample/captions.csv", encoding="utf-8") as file:
        return [line.split(",", 1)[-1].strip().lower() for line in file][1:]


def train():
    """The vocabulary and the merges, which do not cross words, as SentencePiece finds them."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = BLANKS
    tokenizer.pre_tokenizer = pre_tokenizers.Split("\u2581", "merged_with_next")
    tokenizer.train_from_iterator(captions() + MORE, trainers.BpeTrainer(vocab_size=500, show_progress=False))
    model = json.loads(tokenizer.to_str())["model"]
    tokens = SPECIALS + ADDED + BYTES + sorted(model["vocab"], key=model["vocab"].get)
    return {token: i for i, token in enumerate(tokens)}, [tuple(merge) for merge in model["merges"]]


def make_tokenizer():
    vocabulary, merges = train()
    tokenizer = Tokenizer(models.BPE(vocabulary, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = BLANKS
    tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    tokenizer.post_processor = processors.TemplateProcessing("$A <eos>", "$A <eos> $B <eos>", [("<eos>", 1)])
    tokenizer.add_special_tokens(SPECIALS)
    tokenizer.add_tokens([AddedToken(token, normalized=False) for token in ADDED] + [AddedToken("Photo Album", normalized=True)])
    return tokenizer


def encoder(tokenizer, kind, config, normalizer):
    tokenizer.normalizer = normalizer
    with tempfile.TemporaryDirectory() as folder:
        tokenizer.save(f"{folder}/tokenizer.json")
        pathlib.Path(folder, "tokenizer_config.json").write_text(json.dumps({**config, "tokenizer_class": kind.__name__}))
        reference = kind.from_pretrained(folder)
    return lambda text, limit: reference(text, truncation=True, max_length=limit).input_ids


def random_text(rnd, words):
    def piece():
        if rnd.random() < 0.6:
            word = rnd.choice(words)
            return rnd.choice([word, word, word.upper(), word.capitalize()])
        low = rnd.choice([0x20, 0x20, 0xA0, 0x370, 0x400, 0x2000, 0x4E00, 0x1F600])
        return "".join(chr(low + rnd.randrange(90)) for _ in range(rnd.randint(1, 4)))

    return rnd.choice(["", " ", "  "]).join(piece() for _ in range(rnd.randint(1, 8)))


def main():
    FOLDER.mkdir(exist_ok=True)
    tokenizer = make_tokenizer()
    (FOLDER / "tokenizer.json").write_text(json.dumps(json.loads(tokenizer.to_str()), ensure_ascii=False, separators=(",", ":")), encoding="utf-8")
    rnd = random.Random(1)
    words = sorted({word for line in captions() for word in line.split()})
    texts = TEXTS + BROKEN + [random_text(rnd, words) for _ in range(60)]
    groups = []
    for kind, config, normalizer in GROUPS:
        encode = encoder(tokenizer, kind, config, normalizer)
        cases = [make_case(encode, text, LIMIT) for text in texts]
        cases += [make_case(encode, "apples <eos> Oranges\U0001f600.", limit) for limit in range(2, 14)]
        cases += [make_case(encode, "A very long text, again. ", LIMIT, 1000)]
        tokenizer.normalizer = normalizer
        groups.append({"config": config, "normalizer": json.loads(tokenizer.to_str())["normalizer"], "cases": cases})
    write_groups(FOLDER / "cases.json", groups)


main()
