"""Writes tokenizer/cases.json: texts and the ids that the `tokenizers` library gives them.

    pip install tokenizers==0.23.3
    python tests/goldens/make_tokenizer.py

A group (token_cases.py) has a "config": options for tokenizer_config.json.
"""
import pathlib
import random

from token_cases import fast, make_case, write_groups
from tokenizers import BertWordPieceTokenizer

HERE = pathlib.Path(__file__).parent
VOCABULARY = HERE / "minilm-tokenizer" / "vocab.txt"
LIMIT = 256

GROUPS = [  # options as tokenizer_config.json spells them
    {"do_lower_case": True, "strip_accents": None, "tokenize_chinese_chars": True},
    {"do_lower_case": False, "strip_accents": None, "tokenize_chinese_chars": True},
    {"do_lower_case": True, "strip_accents": False, "tokenize_chinese_chars": False},
    {"do_lower_case": False, "strip_accents": True, "tokenize_chinese_chars": True},
]

TEXTS = [
    "", " ", "\n\t\r ", "a", ".", "A child in a pink dress is climbing up a set of stairs in an entry way .",
    "Don't stop—believing… it’s 50% off, $9.99 (e.g.)!", "snake_case CamelCase kebab-case a/b\\c <tag attr='x'>",
    "&lt;p&gt;Tom &amp; Jerry&#39;s&nbsp;caf&eacute;&lt;/p&gt;", "e-mail: first.last+tag@example.org #hashtag @name",
    # special tokens, whole, broken and in other cases
    "[CLS] [SEP] [MASK] [UNK] [PAD]", "a[SEP]b[MASK][MASK]c", "[sep] [Mask] [ SEP ] [[SEP]] [SEP", "##ing ## # ##",
    "[unused0] [unused1]", "\u00c9[SEP]\u0301e",
    # accents, composed and not; letters whose lower case is special
    "Crème brûlée, naïve façade, Ångström, Škoda", "Cre\u0300me bru\u0302le\u0301e", "\u0301 \u0301a a\u0301\u0302\u0323b",
    "İstanbul Iğdır ılık", "ΣΊΣΥΦΟΣ Οδυσσεύς", "Straße STRASSE ẞ ﬁne ﬂuﬀ", "ǅ ǈ ǋ ᾈ ᾼ \u0345 \u0399\u0345", "Ω Å K",
    # scripts
    "Привет, мир! Ёжик й", "שָׁלוֹם עולם", "مَرْحَبًا بالعالم ـ ٣", "नमस्ते दुनिया।", "สวัสดีชาวโลก", "வணக்கம் உலகம்", "გამარჯობა მსოფლიო",
    "你好，世界！漢字 and kanji㐀𠀀豈", "こんにちは、ガギグ がぎぐ ｶﾞ", "안녕하세요 세계 \u1112\u1161\u11ab", "Xin chào thế giới", "ሰላም ዓለም።", "ᏣᎳᎩ ꮳꮃꭹ",
    "ᚠᚢᚦ᛫ᚨ 𐌰𐌱 𝒜𝓑 𝟘𝟙 𐐀𐐨", "a\U0002b81fb a\U0002b820b a\U0002b91fb a\U0002b920b a\U0002ceafb a\U0002ceb0b a\U00030000b",
    # emoji
    "a dog 🐶 runs 🏃🏽‍♀️ fast 👨‍👩‍👧‍👦 🇩🇪 ❤️ ☺", "😀😀😀 :-) ¯\\_(ツ)_/¯",
    # control and format characters, blanks of every width
    "a\u0001b\u007fc\u0085d\u000be\u000cf", "zero\u200bwidth\u200djoin\u00adsoft\ufeffbom\u2060x\u180ey",
    "no\u00a0break\u2003em\u3000wide\u2028line\u2029para\u1680ogham\u205fx", "\ufffd a\ufffdb \uffff \ufdd0 \ue000 \U0010fffd",
    "\u202eright to left\u202c \u061cx", "\U000e0041tag\U000e007f \U000110bd \U000110cd \u08e2 \U00013430",
    # punctuation, and characters whose category changed after Unicode 8
    "¡hola! ¿qué? «x» „y“ ‹z› — – ‐ ‑ ‿ ⁀ § ¶ · ՚ ׀ ؟ ।", "a⹃b a⹒b a᙭b a᜴b a\U000111c9b a؝b a\u1abfb a\u0898b a\U00011938b",
    "x+y=z<w>v|u~t^s`r$q € £ ¥ © ® ™ ° ± × ÷ ∑ ∞ ⁄", "½ ² ³ ① Ⅳ ℃ №",
    # words at and over the 100 characters a word may have
    "a" * 99, "a" * 100, "a" * 101, "é" * 100, "e\u0301" * 100, "e\u0301" * 101, "中" * 101, "x" * 5000 + " y",
    "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft",
    "antidisestablishmentarianism pneumonoultramicroscopicsilicovolcanoconiosis floccinaucinihilipilification",
    "qzxqzxqzx zzzzqqqq ##zz 1234567890123456789012345678901234567890",
]

BROKEN = [b"\xff", b"a\x80b", b"caf\xe9 au lait", b"\xc3", b"\xe4\xbd", b"\xe4\xbd\xa0\xe5\xa5", b"\xf0\x9f\x98", b"\xf0\x9f\x98 x",
          b"\xc0\xaf \xe0\x80\xaf", b"\xed\xa0\x80\xed\xb0\x80", b"\xf4\x90\x80\x80", b"\xf8\x88\x80\x80\x80", b"ab\xe2\x82cd",
          b"\xc3\xa9\xc3(\xa9", b"[SEP\xff] [SEP]"]

BLOCKS = [(0x20, 0x7E), (0x20, 0x7E), (1, 0x9F), (0xA0, 0x24F), (0x300, 0x36F), (0x370, 0x52F), (0x530, 0x7FF), (0x900, 0xDFF),
          (0xE00, 0x13FF), (0x1680, 0x1CFF), (0x1D00, 0x1FFF), (0x2000, 0x2BFF), (0x2E00, 0x33FF), (0x4E00, 0x9FFF),
          (0xA000, 0xABFF), (0xAC00, 0xD7A3), (0xF900, 0xFFFF), (0x10000, 0x1189F), (0x1D000, 0x1D7FF), (0x1F000, 0x1FAFF),
          (0x20000, 0x2FFFF), (0xE0000, 0xE01EF), (0x100000, 0x10FFFF)]


def random_text(rnd, words):
    def piece():
        if rnd.random() < 0.4:
            return rnd.choice(words)
        low, high = rnd.choice(BLOCKS)
        return "".join(chr(rnd.randint(low, high)) for _ in range(rnd.randint(1, 5)))

    return rnd.choice(["", " "]).join(piece() for _ in range(rnd.randint(1, 7)))


def reference(config):
    return BertWordPieceTokenizer(str(VOCABULARY), clean_text=True, handle_chinese_chars=config["tokenize_chinese_chars"],
                                  strip_accents=config["strip_accents"], lowercase=config["do_lower_case"])


def make_group(config, count, rnd):
    encode = fast(reference(config))
    words = VOCABULARY.read_text(encoding="utf-8").split("\n")
    cases = [make_case(encode, text, LIMIT) for text in TEXTS + BROKEN]
    cases += [make_case(encode, random_text(rnd, words), LIMIT) for _ in range(count)]
    for limit in (2, 3, 4, 8, 11, 12, 13):
        cases.append(make_case(encode, "unaffable [SEP] climbing qzxqzx\U0001f600 end.", limit))
    cases.append(make_case(encode, "A very long text, again. ", LIMIT, 20000))
    cases.append(make_case(encode, "a\u0301", LIMIT, 100000))
    return {"config": config, "cases": cases}


def main():
    rnd = random.Random(1)
    groups = [make_group(config, 150 if i == 0 else 40, rnd) for i, config in enumerate(GROUPS)]
    write_groups(HERE / "tokenizer" / "cases.json", groups)


main()
