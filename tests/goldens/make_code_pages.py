"""Writes models/tokenizers/code_page_rows.c, the characters of the code pages of code_pages.h, from Python's codecs.

    python tests/goldens/make_code_pages.py > models/tokenizers/code_page_rows.c
"""
SLOPPY = ["cp1252", "cp1251", "cp1250", "cp1253", "cp1254", "cp1257"]
PAGES = ["latin-1", *SLOPPY, "iso-8859-2", "mac-roman", "cp437"]  # as in enum code_page
SUBSTITUTE, REPLACEMENT = 0x1A, 0xFFFD


def point_of(byte, page):
    if page in SLOPPY and byte == SUBSTITUTE:
        return REPLACEMENT
    try:
        return ord(bytes([byte]).decode(page))
    except UnicodeDecodeError:  # a hole
        return byte


def main():
    rows = {}
    for i, page in enumerate(PAGES):
        for byte in [SUBSTITUTE, *range(0x80, 0x100)]:
            rows.setdefault(point_of(byte, page), [0] * len(PAGES))[i] = byte
    print('#include "models/tokenizers/code_pages.h"\n')
    print("/* Made by tests/goldens/make_code_pages.py. */\nconst struct code_page_row code_page_rows[] = {")
    line = "   "
    for point in sorted(rows):
        row = " {0x%X, {%s}}," % (point, ", ".join(f"0x{byte:X}" if byte else "0" for byte in rows[point]))
        if len(line) + len(row) > 119:
            print(line)
            line = "   "
        line += row
    print(line + "\n};\nconst size_t code_page_row_count = sizeof code_page_rows / sizeof *code_page_rows;")


main()
