"""Writes mojibake.json: texts that were read in the wrong encoding, some damaged after that, and what ftfy makes of them.

    pip install ftfy==6.3.1
    python tests/goldens/make_mojibake.py

{"cases": [[text, repaired], ...]}.
"""
import json
import pathlib
import random
import unicodedata

import ftfy
from ftfy.chardata import CHARMAP_ENCODINGS

PHRASES = [
    "voil\u00e0 le caf\u00e9", "\u00e0 la carte, \u00e0s vezes \u00e0quele", "\u201cquoted\u201d \u2014 it\u2019s\u2026", "\u00bfqu\u00e9 tal, ni\u00f1o?", "Stra\u00dfe \u00dcbung K\u00f6ln 20 \u00b0C", "\u20ac 5, \u00a3 6, \u00bd l",
    "\u0440\u0443\u0441\u0441\u043a\u0438\u0439 \u044f\u0437\u044b\u043a", "\u0395\u03bb\u03bb\u03b7\u03bd\u03b9\u03ba\u03ac", "za\u017c\u00f3\u0142\u0107 g\u0119\u015bl\u0105 ja\u017a\u0144", "t\u00fcrk\u00e7e \u015fi\u015fe \u0130\u0131", "l\u0101\u010dpl\u0113sis", "\u0645\u0631\u062d\u0628\u0627", "\u05e9\u05dc\u05d5\u05dd",
    "\u0928\u092e\u0938\u094d\u0924\u0947", "\u0b95\u0bae\u0bcd", "\u4f60\u597d\uff0c\u4e16\u754c", "\u3053\u3093\u306b\u3061\u306f", "\uc548\ub155", "a dog \U0001f436\u2764\ufe0f", "\U0001f1e9\U0001f1ea \u2713 \u2122",
]
BY_HAND = [
    "s\u00c3\u00b3", "voil\u00c3 le travail", "\u00c3 la, \u00c3 quele, \u00c3 s", "&Atilde;&sup3;", "\u00e2\u20ac\u0153 like this \u00e2\u20ac\ufffd", "l\u2019humanit\u00e9", "P\u00c3\u00a9rez <b>&eacute;", "(\u00f2_\u00f3) \u00c5 \u00c2 \u00bd",
    "\xed\xa0\xbd\xed\xb8\x8d ok", "\xed\xa0\xbd\xed\xb8", "a\xc0\x80b \xc3\xa9", "\xc3\xa9\xc0\n", "\xed\xa0\xbd\xed\xb8\n\xc3\xa9", "\x81 \x8d", "\x93quoted\x94 \x85", "\u00c3\u0192\u0192\u0192\u0192", "na\u00c3\u00afve caf\u00e9 \u4e2d",
    "\u0413\u045e\u0412\u0402\u0412\u201da", "\u0432\u0402\u045a \u0432\u0402\u2122", "\u03b2\u20ac\u2122 \u0393\u00a9\u0393", "\u0101\u20ac\u2122", "\u221a\u00a9 \u2248\u00b0", "\u251c\u00ae \u0393\u00c7\u00f4", "\u00d8\u00b3\u00d9\u201e", "M\u00c3?", "\u00f0\u009f\u0098\u001a",
    "fran\u00c3\u00a7ais\r\nfran\u00c3\u00a7ais\u2028x", "\u00c2\u00a0\u00c2 \u00c2", "a\u00c2 b, c.\u00c2 d", "\u0153 \u0153u \u0152uvre", "\u00c0\u00b0 \u00d7\u00b2 x\u00d7\u00b2", "\u2554\u2550\u2557 \u2502\u00f6\u2502", "\uf8ff\u00fc \u00ac\u00a9",
]


def damaged(rnd, text):
    at = rnd.randrange(len(text))
    return text[:at] + rnd.choice(["", " ", "?", "\ufffd", "\u00a0", "\u4e2d", "e", "\n", "\u00c3"]) + text[at + rnd.randint(0, 1):]


def made(rnd, encoding):
    text = " ".join(rnd.choice(PHRASES) for _ in range(rnd.randint(1, 2)))
    for _ in range(rnd.choice([1, 1, 1, 2])):
        text = text.encode().decode(encoding, errors="replace")
    text = text.replace("\u00a0", " ") if rnd.random() < 0.3 else text
    return damaged(rnd, text) if rnd.random() < 0.4 else text


def main():
    rnd = random.Random(1)
    texts = BY_HAND + PHRASES + [made(rnd, encoding) for encoding in CHARMAP_ENCODINGS for _ in range(30)]
    cases = [[text, ftfy.fix_text(text)] for text in texts]
    cases = [case for case in cases if not any(unicodedata.category(c) == "Cn" for c in case[0] + case[1])]
    lines = ",\n".join(json.dumps(case) for case in cases)
    (pathlib.Path(__file__).parent / "mojibake.json").write_text('{"cases": [\n%s\n]}\n' % lines)


main()
