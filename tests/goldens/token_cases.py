"""What the scripts that make token cases share: a case, and the file of all of them.

A file is {"groups": [{..., "cases": [...]}]}; a case is {"text" or "hex" (bytes that are no UTF-8, decoded with
errors="replace" here), "repeat": how often the text is repeated, "limit", "ids"}.
"""
import json


def make_case(encode, text, limit, repeat=1):
    """encode(text, limit) gives the ids."""
    plain = text.decode(errors="replace") if isinstance(text, bytes) else text
    case = {"hex": text.hex()} if isinstance(text, bytes) else {"text": text}
    if repeat > 1:
        case["repeat"] = repeat
    return {**case, "limit": limit, "ids": encode(plain * repeat, limit)}


def fast(tokenizer):
    """An `encode` of a tokenizer of the `tokenizers` library."""
    def encode(text, limit):
        tokenizer.enable_truncation(limit)
        return tokenizer.encode(text).ids

    return encode


def write_groups(path, groups):
    """A line for each case."""
    def line(group):
        rest = {key: value for key, value in group.items() if key != "cases"}
        head = json.dumps(rest)[:-1] + (", " if rest else "")
        return '%s"cases": [\n%s\n]}' % (head, ",\n".join(json.dumps(case) for case in group["cases"]))

    path.write_text('{"groups": [\n%s\n]}\n' % ",\n".join(line(group) for group in groups))
