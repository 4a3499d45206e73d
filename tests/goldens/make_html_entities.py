"""Writes models/tokenizers/html_entities.c, the HTML Standard's named character references, from Python's html.entities.

    python tests/goldens/make_html_entities.py > models/tokenizers/html_entities.c
"""
from html.entities import html5


def character(point):
    if point >= 0xA0:
        return f"\\u{point:04X}" if point < 0x10000 else f"\\U{point:08X}"
    return {"\n": "\\n", "\t": "\\t", '"': '\\"', "\\": "\\\\"}.get(chr(point), chr(point))


def entries():
    for name in sorted(key[:-1] for key in html5 if key.endswith(";")):
        value = "".join(character(ord(c)) for c in html5[name + ";"])
        yield f'{name}{" " if name in html5 else ";"}{value}\\0'


def main():
    print('#include "models/tokenizers/html_text.h"\n')
    print("/* Made by tests/goldens/make_html_entities.py. */\nconst char html_entities[] =")
    line = ""
    for entry in entries():
        if len(line) + len(entry) > 114:
            print(f'    "{line}"')
            line = ""
        line += entry
    print(f'    "{line}";')
    print("const size_t html_entities_size = sizeof html_entities - 1;")


main()
