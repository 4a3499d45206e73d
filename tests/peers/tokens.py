"""Token ids of oclip against the reference tokenizers, over generated texts of every script.

    python tests/peers/tokens.py build/tests/token_ids [--kind NAME ...] [--count 100000] [--seed 1]

Makes the model folders itself: CLIP's from the list of merges that open_clip ships, BERT's from tests/goldens, SigLIP's
and Gemma's trained here on the sample's captions. Prints the number of texts whose ids differ, and some of those.
"""
import argparse
import gzip
import html.entities
import json
import pathlib
import random
import subprocess
import sys
import tempfile
import unicodedata

import ftfy

ROOT = pathlib.Path(__file__).resolve().parents[2]
LIMIT = 200000
PYTHON_TABLES = {"open_clip", "siglip", "siglip_new", "siglip_cased"}  # references that classify characters by the running Python's Unicode version

# ---- texts ----

ASSIGNED = [chr(i) for i in range(1, 0x110000) if unicodedata.category(chr(i)) not in ("Cn", "Cs", "Co")]
ANY = [i for i in range(1, 0x110000) if not 0xD800 <= i < 0xE000]
ENTITIES = list(html.entities.html5)
SCRIPTS = ["".join(chr(i) for i in range(low, low + 60)) for low in (0xc0, 0x391, 0x410, 0x5d0, 0x905, 0x3042, 0x4e00, 0xac00, 0x1f600)]
EMOJI = ["\U0001f436", "\U0001f3c3\U0001f3fd\u200d\u2640\ufe0f", "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\U0001f1e9\U0001f1ea",
         "\u2764\ufe0f", "\u263a", "\U0001f600", "1\ufe0f\u20e3", "\U0001f3f4\U000e0067\U000e0062\U000e007f"]
SPECIALS = ["<|startoftext|>", "<|endoftext|>", "<|EndOfText|>", "<start_of_text>", "<end_of_text>", "<START_OF_TEXT>", "[CLS]", "[SEP]", "[MASK]",
            "[UNK]", "[PAD]", "[sep]", "</s>", "<unk>", "<s>", "<pad>", "<eos>", "<bos>", "<mask>", "\u2581", "<|", "|>", "##ing"]
PUNCTUATION = list("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~") + ["\u2019", "\u201c", "\u201d", "\u2018", "\u2026", "\u2013", "\u2014", "\u00ab", "...", "'s", "'LL", "'ve"]
BLANKS = [" ", " ", " ", "\t", "\n", "\r\n", "\r", "\u00a0", "\u3000", "\u2028", "\u0085", "\x1c", "\x0b", "\u200b", "  "]
CODE_PAGES = ["latin-1", "cp1252", "cp1251", "cp1250", "cp1253", "cp1254", "cp1257", "iso-8859-2", "mac-roman", "cp437"]
SPECIAL_CASE = list("\u0130\u0131\u03a3\u03c3\u03c2\u017f\u212a\u1e9e\u00df\u01c5\ufb01\ufb06\uff21\uff76\uff9e\u0345\u0307\u0344\u0958\u2126")


def captions():
    with open(ROOT / "tests/sample/captions.csv", encoding="utf-8") as file:
        return [line.split(",", 1)[-1].strip() for line in file][1:]


def entity(rnd, points):
    kind = rnd.random()
    if kind < 0.5:
        name = rnd.choice(ENTITIES)
        name = name.upper() if rnd.random() < 0.2 else name
        return "&" + (name.rstrip(";") if rnd.random() < 0.2 else name) + rnd.choice(["", "", "x", ";"])
    if kind < 0.6:
        return rnd.choice(["&amp;", "&amp;amp;"]) + rnd.choice(ENTITIES)
    if kind < 0.7:
        return "&" + rnd.choice(["", "#", "#x", "#x;", "#;", "nothing;", "amp", "AMP;", "ampere", "notin", "&", "#xg"])
    number = rnd.choice([rnd.randrange(0x180), ord(rnd.choice(points)), rnd.randrange(0xD800, 0xE000), rnd.randrange(0x110000, 1 << 40)])
    form = rnd.choice(["&#%d", "&#x%x", "&#X%X", "&#0%d"])
    return form % number + rnd.choice([";", ";", "", " "])


def block(rnd, points):
    start = rnd.randrange(len(points))
    near = points[start:start + 128]
    return "".join(rnd.choice(near) for _ in range(rnd.randint(1, 6)))


def mojibake(rnd, text):
    """UTF-8 that was read in another encoding, perhaps twice."""
    for _ in range(rnd.choice([1, 1, 1, 2])):
        text = text.encode().decode(rnd.choice(CODE_PAGES), errors="replace")
    return text.replace("\u00a0", " ") if rnd.random() < 0.2 else text


def is_known(text):
    """Whether this Python knows all characters, those that a repair makes, too."""
    return not any(unicodedata.category(c) == "Cn" for c in ftfy.fix_text(text))


def piece(rnd, words, points):
    kind = rnd.random()
    if kind < 0.30:
        word = rnd.choice(words)
        return rnd.choice([word, word, word, word.upper(), word.capitalize()])
    if kind < 0.36:
        return entity(rnd, points)
    if kind < 0.40:
        return rnd.choice(EMOJI)
    if kind < 0.46:
        return rnd.choice(PUNCTUATION) * rnd.choice([1, 1, 1, 2, 3])
    if kind < 0.50:
        return rnd.choice(SPECIALS)
    if kind < 0.54:
        return "".join(rnd.choice(SPECIAL_CASE) for _ in range(rnd.randint(1, 3)))
    if kind < 0.56:
        return "".join(chr(rnd.randint(1, 0x9f)) for _ in range(rnd.randint(1, 3)))
    if kind < 0.58:
        return str(rnd.randrange(10 ** rnd.randint(1, 12)))
    if kind < 0.59:
        return "\x1b[%dm" % rnd.randrange(50)
    if kind < 0.60:
        return mojibake(rnd, block(rnd, points) + rnd.choice(["", " ", rnd.choice(words)]))
    text = block(rnd, points)
    return unicodedata.normalize("NFD", text) if rnd.random() < 0.2 else text


def make_texts(count, seed, python_tables):
    rnd = random.Random(seed)
    points = ASSIGNED if python_tables else [chr(i) for i in ANY]
    lines = captions()
    words = sorted({word for line in lines for word in line.split()})
    texts = []
    for i in range(count):
        if i % 10 == 0:
            text = rnd.choice(lines)
        elif i % 500 == 1:
            text = piece(rnd, words, points) * rnd.randint(100, 3000)
        else:
            size = rnd.randint(300, 2000) if i % 500 == 2 else rnd.randint(1, 12)
            between = rnd.choice([["", " "], [" "], [""], BLANKS])
            text = "".join(piece(rnd, words, points) + rnd.choice(between) for _ in range(size))
        text = text.replace("\0", "")
        texts.append(text if not python_tables or is_known(text) else "")
    return texts


# ---- references: each makes a folder and gives the ids of a text ----


def clip_vocabulary(folder):
    import open_clip.tokenizer
    path = open_clip.tokenizer.default_bpe()
    lines = gzip.open(path).read().decode().split("\n")
    merges = [tuple(line.split()) for line in lines[1:49152 - 256 - 2 + 1]]
    symbols = list(open_clip.tokenizer.bytes_to_unicode().values())
    tokens = symbols + [s + "</w>" for s in symbols] + ["".join(m) for m in merges] + ["<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({token: i for i, token in enumerate(tokens)}))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "".join(" ".join(m) + "\n" for m in merges), encoding="utf-8")


def clip(folder):
    from transformers import CLIPTokenizerFast
    clip_vocabulary(folder)
    tokenizer = CLIPTokenizerFast.from_pretrained(folder)
    return lambda text: tokenizer(text).input_ids


def clip_json(folder):
    """tokenizer.json alone, as transformers saves it."""
    from transformers import CLIPTokenizerFast
    with tempfile.TemporaryDirectory() as other:
        clip_vocabulary(pathlib.Path(other))
        tokenizer = CLIPTokenizerFast.from_pretrained(other)
    tokenizer.save_pretrained(folder)
    return lambda text: tokenizer(text).input_ids


def bert(folder, **options):
    from transformers import BertTokenizerFast
    for file in (ROOT / "tests/goldens/minilm-tokenizer").iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    config = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps({**config, **options}))
    tokenizer = BertTokenizerFast.from_pretrained(folder)
    return lambda text: tokenizer(text, truncation=False).input_ids


def bert_cased(folder):
    return bert(folder, do_lower_case=False, strip_accents=None, tokenize_chinese_chars=True)


def bert_accents(folder):
    return bert(folder, do_lower_case=True, strip_accents=False, tokenize_chinese_chars=False)


def bert_json(folder):
    """tokenizer.json, whose normalizer tokenizer_config.json overrules."""
    from transformers import BertTokenizerFast
    with tempfile.TemporaryDirectory() as other:
        bert(pathlib.Path(other))
        BertTokenizerFast.from_pretrained(other).save_pretrained(folder)
    (folder / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": False, "strip_accents": True, "tokenize_chinese_chars": False}))
    tokenizer = BertTokenizerFast.from_pretrained(folder)
    return lambda text: tokenizer(text).input_ids


def open_clip(folder):
    import open_clip.tokenizer
    path = pathlib.Path(open_clip.tokenizer.default_bpe())
    (folder / path.name).write_bytes(path.read_bytes())
    tokenizer = open_clip.tokenizer.SimpleTokenizer(str(path))
    return lambda text: [tokenizer.sot_token_id] + tokenizer.encode(text) + [tokenizer.eot_token_id]


def siglip(folder, dummy_prefix=True, **options):
    import sentencepiece
    from transformers import SiglipTokenizer
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(captions() + SCRIPTS), model_prefix=str(folder / "spiece"), vocab_size=2000, character_coverage=1.0,
        add_dummy_prefix=dummy_prefix, pad_id=0, eos_id=1, unk_id=2, bos_id=-1, hard_vocab_limit=False, minloglevel=2)
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "SiglipTokenizer", "model_max_length": 64, **options}))
    tokenizer = SiglipTokenizer.from_pretrained(folder)
    return lambda text: tokenizer(text).input_ids


def siglip_new(folder):
    return siglip(folder, dummy_prefix=True, legacy=False)


def siglip_cased(folder):
    return siglip(folder, dummy_prefix=False, do_lower_case=False)


def gemma_tokenizer():
    """Merges that do not cross words, bytes for characters that are rare."""
    from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
    blanks = normalizers.Replace(" ", "\u2581")
    trained = Tokenizer(models.BPE())
    trained.normalizer, trained.pre_tokenizer = blanks, pre_tokenizers.Split("\u2581", "merged_with_next")
    trained.train_from_iterator(captions() + SCRIPTS, trainers.BpeTrainer(vocab_size=3000, show_progress=False))
    model = json.loads(trained.to_str())["model"]
    specials, added = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"], ["\n\n", "\r\n", "\u2581\u2581", "\t\t", "##ing", "</s>"]
    tokens = specials + added + [f"<0x{byte:02X}>" for byte in range(256)] + sorted(model["vocab"], key=model["vocab"].get)
    tokenizer = Tokenizer(models.BPE({token: i for i, token in enumerate(tokens)}, [tuple(merge) for merge in model["merges"]],
                                     unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer, tokenizer.pre_tokenizer = blanks, pre_tokenizers.Split(" ", "merged_with_previous")
    tokenizer.post_processor = processors.TemplateProcessing("$A <eos>", "$A <eos> $B <eos>", [("<eos>", 1)])
    tokenizer.add_special_tokens(specials)
    tokenizer.add_tokens([AddedToken(token, normalized=False) for token in added])
    return tokenizer


def gemma(folder, kind="GemmaTokenizer"):
    import transformers
    gemma_tokenizer().save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": kind, "add_bos_token": False, "add_eos_token": True}))
    tokenizer = getattr(transformers, kind).from_pretrained(folder)
    return lambda text: tokenizer(text).input_ids


def siglip2(folder):
    return gemma(folder, "Siglip2Tokenizer")


KINDS = {"clip": clip, "clip_json": clip_json, "bert": bert, "bert_cased": bert_cased, "bert_accents": bert_accents, "bert_json": bert_json, "open_clip": open_clip,
         "siglip": siglip, "siglip_new": siglip_new, "siglip_cased": siglip_cased, "gemma": gemma, "siglip2": siglip2}


# ---- the comparison ----


def oclip_ids(program, folder, texts):
    data = b"\0".join(text.encode() for text in texts) + b"\0"
    lines = subprocess.run([program, folder, str(LIMIT)], input=data, stdout=subprocess.PIPE, check=True).stdout.split(b"\n")
    return [[int(word) for word in line.split()] for line in lines[:-1]]


def compare(kind, options):
    texts = make_texts(options.count, options.seed, kind in PYTHON_TABLES)
    with tempfile.TemporaryDirectory() as folder:
        reference = KINDS[kind](pathlib.Path(folder))
        got = oclip_ids(options.program, folder, texts)
    want = [reference(text) for text in texts]
    assert len(got) == len(texts)
    bad = [i for i in range(len(texts)) if got[i] != want[i]]
    print(f"{kind}: {len(texts)} texts, {sum(map(len, want))} ids, {len(bad)} texts differ")
    for i in sorted(bad, key=lambda i: len(texts[i]))[:options.show]:
        print(f"  {texts[i][:200]!r}\n    want {want[i][:40]}\n    got  {got[i][:40]}")
    return len(bad)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--kind", nargs="*", choices=KINDS, default=list(KINDS))
    parser.add_argument("--count", type=int, default=100000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--show", type=int, default=5, help="how many of the texts that differ are printed")
    options = parser.parse_args()
    sys.exit(sum([compare(kind, options) for kind in options.kind]) > 0)


main()
