"""Writes bpe/: a small CLIP vocabulary in each of its file layouts, and texts with the ids `tokenizers` gives them.

    pip install tokenizers==0.23.3 transformers==5.23.0 open_clip_torch==3.3.0 ftfy==6.3.1
    python tests/goldens/make_bpe.py bpe_simple_vocab_16e6.txt.gz      # of openai/CLIP, MIT licence

The vocabulary is the first MERGES merges of CLIP's. A group of cases.json (token_cases.py) has a "pattern": the words'
regular expression, and "normalized": whether <|startoftext|> is found after normalising. open_clip.json has the ids that
open_clip gives.
"""
import gzip
import json
import pathlib
import random
import sys
import tempfile
import unicodedata

from open_clip.tokenizer import SimpleTokenizer
from token_cases import fast, make_case, write_groups
from tokenizers import Tokenizer
from transformers import CLIPTokenizerFast

FOLDER = pathlib.Path(__file__).parent / "bpe"
MERGES = 2000
LIMIT = 77

WORDS = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
GROUPS = [  # as transformers 5 builds it; as the folders of openai/clip-vit-* and laion/CLIP-* have it; and between
    {"pattern": r"<\|startoftext\|>|<\|endoftext\|>|" + WORDS, "normalized": False},
    {"pattern": WORDS, "normalized": True},
    {"pattern": r"<\|startoftext\|>|<\|endoftext\|>|" + WORDS, "normalized": True},
    {"pattern": WORDS, "normalized": False},
]

SPECIALS = [
    "<|startoftext|>", "<|endoftext|> <|startoftext|>", "a<|startoftext|>b<|endoftext|><|endoftext|>c", "<|STARTOFTEXT|>",
    "<|STARTOFTEXT|>!!", "!<|StartOfText|>!!", "a<|ENDOFTEXT|>?! x", "<|<|EndOfText|>|>", "<|startoftext", "startoftext|>",
    "<| startoftext |>", "'<|ENDOFTEXT|>'s", "<|ENDOFTEXT|><|STARTOFTEXT|>...", "<|endoftext|>'s", "\u00e9<|endoftext|>\u0301e",
    "<|\u017ftartoftext|>", "1<|ENDOFTEXT|>1",
]

TEXTS = [
    "", " ", "\n\t\r ", "a", ".", "A child in a pink dress is climbing up a set of stairs in an entry way .",
    "Don't stop\u2014believing\u2026 it\u2019s 50% off, $9.99 (e.g.)!", "snake_case CamelCase kebab-case a/b\\c <tag attr='x'>",
    "&lt;p&gt;Tom &amp; Jerry&#39;s&nbsp;caf&eacute;&lt;/p&gt;", "e-mail: first.last+tag@example.org #hashtag @name",
    # contractions, in every case and place
    "it's IT'S it'S 's 'S ''s !'s a's's", "don't DON'T we're WE'RE I've i'VE I'm you'll YOU'LL he'd", "'sound 'tis 'llama 'dog 'more 'very",
    "'", "''", "'''s", "rock'n'roll '90s 'r 'l 'v o'clock", "it\u2019s it`s it\u02bcs it\uff07s",
    # digits are words of their own, whatever the script
    "1234567890 3.14159 1e-5 x2y 007", "\u0661\u0662\u0663 \u0967\u0968 \u2160\u2163 \u00bd\u00b2\u00b3 \u2460 \u3007\u5341", "\U0001d7d8\U0001d7d9 \U00010107 \U0001f100",
    # accents, composed and not; letters whose lower case is special
    "Cr\u00e8me br\u00fbl\u00e9e, na\u00efve fa\u00e7ade, \u00c5ngstr\u00f6m, \u0160koda", "Cre\u0300me bru\u0302le\u0301e", "\u0301 \u0301a a\u0301\u0302\u0323b a\u0323\u0302\u0301b",
    "\u0130stanbul I\u0307 I\u011fd\u0131r \u0131l\u0131k", "\u03a3\u038a\u03a3\u03a5\u03a6\u039f\u03a3 \u039f\u03b4\u03c5\u03c3\u03c3\u03b5\u03cd\u03c2", "Stra\u00dfe STRASSE \u1e9e \ufb01ne \ufb02u\ufb00", "\u01c5 \u01c8 \u01cb \u1f88 \u1fbc \u0345 \u0399\u0345",
    "\u2126 \u212b \u212a \u2000\u2001x", "q\u0307\u0323 q\u0323\u0307 e\u0328\u0301 \u0344 \u0958 \ufb2c \u2adc", "\u1100\u1161\u11a8 \uac00\u11a8 \u1100\uac01 \u1112\u1161\u11ab",
    # marks and letters whose composition or order is younger than Unicode 9
    "a\u0898\u0323 a\u1abf\u0301 \U00011935\U00011930 \U00011938", "e\u08ca\u0316b e\u1df6\u0301b \U000105d2\u0307 \u09fe\u09bc",
    # letters, digits and capitals of Unicode 15.1 to 17
    "\u1c89 \ua7cb\ua7cc \ua7da\ua7dc \U00010d50\U00010d65 \U00016ea0 \ua7ce", "a\U0002ebf0b a\U000105c0b \U00010d40\U000116d0 \U0001e5d0 \U0001e5f1", "\U00013460\U000143fa \U00016d40 \U00016d70",
    # scripts
    "\u041f\u0440\u0438\u0432\u0435\u0442, \u043c\u0438\u0440! \u0401\u0436\u0438\u043a \u0438\u0306", "\u05e9\u05c1\u05b8\u05dc\u05d5\u05b9\u05dd \u05e2\u05d5\u05dc\u05dd", "\u0645\u064e\u0631\u0652\u062d\u064e\u0628\u064b\u0627 \u0628\u0627\u0644\u0639\u0627\u0644\u0645 \u0640",
    "\u0928\u092e\u0938\u094d\u0924\u0947 \u0926\u0941\u0928\u093f\u092f\u093e\u0964", "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35\u0e0a\u0e32\u0e27\u0e42\u0e25\u0e01", "\u0bb5\u0ba3\u0b95\u0bcd\u0b95\u0bae\u0bcd", "\u10d2\u10d0\u10db\u10d0 \u1c92\u1c90\u1c9b",
    "\u4f60\u597d\uff0c\u4e16\u754c\uff01\u6f22\u5b57 and kanji\u3400\uf900", "\u3053\u3093\u306b\u3061\u306f\u3001\u30ac\u30ad\u3099 \u304b\u3099 \uff76\uff9e", "\uc548\ub155\ud558\uc138\uc694", "Xin cha\u0300o th\u00ea\u0301 gi\u01a1\u0301i", "\u13e3\u13b3\u13a9 \uabb3",
    "\U0001d49c\U0001d4d1 \U00010400\U00010428",
    # emoji
    "a dog \U0001f436 runs \U0001f3c3\U0001f3fd\u200d\u2640\ufe0f fast \U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f1e9\U0001f1ea \u2764\ufe0f \u263a", "\U0001f600\U0001f600\U0001f600 :-) \u00af\\_(\u30c4)_/\u00af",
    # control and format characters, blanks of every width
    "a\u0001b\u007fc\u0085d\u000be\u000cf\u001cg\u001fh", "zero\u200bwidth\u200djoin\u00adsoft\ufeffbom\u2060x\u180ey",
    "no\u00a0break\u2003em\u3000wide\u2028line\u2029para\u1680ogham\u205fx", "\ufffd a\ufffdb \uffff \ufdd0 \ue000 \U0010fffd", "\u202eright to left\u202c",
    "  many   blanks \t\n here  ", "x+y=z<w>v|u~t^s`r$q \u20ac \u00a3 \u00b0 \u00d7 \u2211", "\u00a1hola! \u00bfqu\u00e9? \u00abx\u00bb \u201ey\u201c \u2013 \u2014 \u203f",
    # long words
    "x" * 300, "!?" * 200, "Donaudampfschifffahrtselektrizit\u00e4tenhauptbetriebswerk", "antidisestablishmentarianism " * 30, "aaaaaaaaab" * 9,
]

OPEN_CLIP = [
    # special tokens, which are found where a word begins
    "<start_of_text>", "a<END_OF_TEXT>b <end_of_text>", "!<start_of_text>", "< start_of_text>", "<\u017ftart_of_text> <start_of_text",
    # HTML, once, twice, three times; without semicolons, in capitals, by number
    "&lt;p&gt; &amp;lt;p&amp;gt; &amp;amp;lt;", "caf&eacute; CAF&EACUTE; caf&eacute cafe&aacut;", "this&not that &notin; &notit; &ampere", "&frac12;&FRAC12; &SZLIG;&szlig; &AMPLE; &fjlig; &ThickSpace;|",
    "&#233; &#xE9; &#XE9 &#x80;&#150; &#0; &#xD800; &#1114112; &#99999999999; &#59; &#x; &#; &#12ab; &#x1F600;", "a < b &eacute;\nc &eacute;", "&NotEqualTilde; &CounterClockwiseContourIntegral; &unknown; &", "&lt;&#x345;&gt;",
    # what ftfy makes of quotes, ligatures, widths and controls
    "It\u2019s \u201cquoted\u201d \u2018so\u2019 \u02bcn \u201a\u201e", "\ufb01ne \ufb02u\ufb00 \u0149 \u01c4\u01c5\u01c6 \u0132", "\uff2c\uff2f\uff35\uff24\u3000\uff2e\uff2f\uff29\uff33\uff25\uff33 \uff37\uff70\uff99\uff84\uff9e \uffa1\uffc2 \uffe3\uffe6",
    "\x1b[31mred\x1b[0m \x1b[x \x1b[ \x1b[1;\u0663m!", "a\x01b\x0bc\x1fd\x7fe\x80f\x85g\u206ah\ufeffi\ufffcj", "e\u0301 \u1100\u1161 a\u1abf\u0301",
    # lower case, by context; blanks; the one character that is in no class
    "\u039f\u0394\u039f\u03a3 \u03a3 \u03a3\u0391\u03a3, \u0391\u03a3' \u0391\u03a3'\u0391 \u0391\u00ad\u03a3. \u2160\u03a3 \u0130", "'S 'LL '\u017f it\u2019S", "  a \u2028 b\x1cc\u200bd ", "a\u0345b !\u0345! \u1fb3",
]

BROKEN = [b"\xff", b"a\x80b", b"caf\xe9 au lait", b"\xc3", b"\xe4\xbd\xa0\xe5\xa5", b"\xf0\x9f\x98 x", b"\xc0\xaf \xe0\x80\xaf",
          b"\xed\xa0\x80\xed\xb0\x80", b"\xf4\x90\x80\x80", b"ab\xe2\x82cd", b"<|endoftext|\xff> <|endoftext|>"]

BLOCKS = [(0x20, 0x7E), (0x20, 0x7E), (1, 0x9F), (0xA0, 0x24F), (0x300, 0x36F), (0x370, 0x52F), (0x530, 0x7FF), (0x800, 0xDFF),
          (0xE00, 0x13FF), (0x1680, 0x1CFF), (0x1D00, 0x1FFF), (0x2000, 0x2BFF), (0x2E00, 0x33FF), (0x4E00, 0x9FFF), (0xA000, 0xABFF),
          (0xAC00, 0xD7A3), (0xF900, 0xFFFF), (0x10000, 0x1189F), (0x16000, 0x1D7FF), (0x1F000, 0x1FAFF), (0x20000, 0x2FFFF)]


def byte_symbols():
    """GPT-2's: printable bytes stand for themselves and come first; the others are shown by U+0100 and on."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    return [chr(b) for b in printable] + [chr(0x100 + i) for i in range(256 - len(printable))]


def write_layouts(lines):
    merges = [tuple(line.split()) for line in lines[1:MERGES + 1]]
    symbols = byte_symbols()
    tokens = symbols + [s + "</w>" for s in symbols] + ["".join(m) for m in merges] + ["<|startoftext|>", "<|endoftext|>"]
    ids = {token: i for i, token in enumerate(tokens)}
    text = "".join(" ".join(m) + "\n" for m in merges)
    (FOLDER / "vocab.json").write_text(json.dumps(ids, ensure_ascii=False, separators=(",", ":")), encoding="utf-8")
    (FOLDER / "merges.txt").write_text("#version: 0.2\n" + text, encoding="utf-8")
    packed = gzip.compress((lines[0] + "\n" + text.rstrip("\n")).encode(), 9, mtime=0)
    (FOLDER / "bpe_simple_vocab_16e6.txt.gz").write_bytes(packed)


def write_tokenizer():
    """tokenizer.json as transformers saves it, without its blanks."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("vocab.json", "merges.txt"):
            (pathlib.Path(folder) / name).write_bytes((FOLDER / name).read_bytes())
        saved = json.loads(CLIPTokenizerFast.from_pretrained(folder).backend_tokenizer.to_str())
    (FOLDER / "tokenizer.json").write_text(json.dumps(saved, ensure_ascii=False, separators=(",", ":")), encoding="utf-8")
    return saved


def reference(saved, group):
    changed = json.loads(json.dumps(saved))
    changed["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = group["pattern"]
    changed["added_tokens"][0]["normalized"] = group["normalized"]
    return Tokenizer.from_str(json.dumps(changed))


def has_new_characters(text):
    """Younger than this Python's Unicode, or removed by open_clip's: their ids depend on the versions."""
    return any(unicodedata.category(c) == "Cn" for c in (text.decode(errors="replace") if isinstance(text, bytes) else text))


def random_text(rnd, words):
    def piece():
        if rnd.random() < 0.4:
            return rnd.choice(words)
        low, high = rnd.choice(BLOCKS)
        text = "".join(chr(rnd.randint(low, high)) for _ in range(rnd.randint(1, 5)))
        return unicodedata.normalize("NFD", text) if rnd.random() < 0.2 else text

    return rnd.choice(["", " ", "'"]).join(piece() for _ in range(rnd.randint(1, 7)))


def make_group(saved, group, texts):
    encode = fast(reference(saved, group))
    cases = [make_case(encode, text, LIMIT) for text in SPECIALS + texts]
    cases += [make_case(encode, "unaffable <|endoftext|> climbing\U0001f600 end.", limit) for limit in (2, 3, 4, 8, 11, 12, 13)]
    if texts:
        cases += [make_case(encode, text, LIMIT, repeat)
                  for text, repeat in (("A very long text, again. ", 20000), ("a\u0301\u0323", 50000), ("\u0301\u0323", 50000), ("ab", 100000))]
        cases.append(make_case(encode, "the", 500, 1000))
    return {**group, "cases": cases}


def open_clip_group(texts):
    tokenizer = SimpleTokenizer(str(FOLDER / "bpe_simple_vocab_16e6.txt.gz"))

    def encode(text, limit):
        ids = [tokenizer.sot_token_id] + tokenizer.encode(text) + [tokenizer.eot_token_id]
        return ids if len(ids) <= limit else ids[:limit - 1] + ids[-1:]

    cases = [make_case(encode, text, LIMIT) for text in OPEN_CLIP + texts if not has_new_characters(text)]
    return {"cases": cases + [make_case(encode, "Long &amp; longer. ", LIMIT, 5000)]}


def main():
    rnd = random.Random(1)
    FOLDER.mkdir(exist_ok=True)
    write_layouts(gzip.decompress(pathlib.Path(sys.argv[1]).read_bytes()).decode().split("\n"))
    saved = write_tokenizer()
    words = [token.replace("</w>", "") for token in saved["model"]["vocab"]]
    texts = TEXTS + BROKEN + [random_text(rnd, words) for _ in range(150)]
    groups = [make_group(saved, group, texts if i == 0 else []) for i, group in enumerate(GROUPS)]
    write_groups(FOLDER / "cases.json", groups)
    write_groups(FOLDER / "open_clip.json", [open_clip_group(SPECIALS + texts)])


main()
