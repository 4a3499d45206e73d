"""Writes picture files of the kinds that Pillow reads and does not write. Each function returns the file's bytes."""
import struct
import zlib

import numpy as np


def pack_bits(rows, bits):
    """[height, width] of numbers below 2 ** bits -> [height, bytes], the leftmost in the highest bits."""
    planes = (np.asarray(rows)[..., None] >> np.arange(bits - 1, -1, -1)) & 1
    return np.packbits(planes.reshape(len(rows), -1).astype(np.uint8), axis=1)


def png(samples, depth, colour, interlaced=False, chunks=()):
    """samples: [height, width, channels]; chunks: (name, body) to stand before the pixels, such as PLTE and tRNS."""

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    def rows(part):
        if part.size == 0:
            return b""
        flat = part.reshape(len(part), -1)
        packed = flat.astype(">u2").view(np.uint8) if depth == 16 else pack_bits(flat, depth)
        return b"".join(b"\0" + row.tobytes() for row in packed)

    samples = np.ascontiguousarray(samples)
    height, width = samples.shape[:2]
    passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    passes = passes if interlaced else [(0, 0, 1, 1)]
    pixels = b"".join(rows(np.ascontiguousarray(samples[y::dy, x::dx])) for y, x, dy, dx in passes)
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, int(interlaced))
    body = [(b"IHDR", header), *chunks, (b"IDAT", zlib.compress(pixels)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in body)


def lzw(indices, bits):
    """GIF's codes of growing width, lowest bit first."""
    clear, end = 1 << bits, (1 << bits) + 1
    strings, width, number, length = {}, bits + 1, 0, 0

    def put(code):
        nonlocal number, length
        number |= code << length
        length += width

    put(clear)
    before = -1
    for index in indices:
        if before < 0:
            before = index
        elif (before, index) in strings:
            before = strings[before, index]
        else:
            put(before)
            strings[before, index] = end + 1 + len(strings)
            if end + len(strings) == 1 << width and width < 12:
                width += 1
            if end + len(strings) == 4095:
                put(clear)
                strings, width = {}, bits + 1
            before = index
    put(before)
    put(end)
    return number.to_bytes((length + 7) // 8, "little")


def gif(indices, palette=None, canvas=None, offset=(0, 0), transparent=None, interlaced=False, local=False):
    """indices: [height, width] of the only frame; palette: [colours, 3], colours a power of two."""
    height, width = indices.shape
    bits = max(2, int(indices.max()).bit_length() if palette is None else (len(palette) - 1).bit_length())
    flags = 0 if palette is None else 0x80 | (bits - 1)
    colours = b"" if palette is None else np.resize(palette, (1 << bits, 3)).astype(np.uint8).tobytes()
    file = b"GIF89a" + struct.pack("<HHBBB", *(canvas or (width, height)), 0 if local else flags, 0, 0)
    file += b"" if local else colours
    if transparent is not None:
        file += b"!\xf9\x04" + bytes([1, 0, 0, transparent]) + b"\0"
    file += b"," + struct.pack("<HHHHB", *offset, width, height, (flags if local else 0) | 0x40 * interlaced)
    file += colours if local else b""
    order = [y for first, step in ((0, 8), (4, 8), (2, 4), (1, 2)) for y in range(first, height, step)]
    data = lzw((indices[order] if interlaced else indices).ravel().tolist(), bits)
    blocks = [data[i:i + 255] for i in range(0, len(data), 255)]
    return file + bytes([bits]) + b"".join(bytes([len(block)]) + block for block in blocks) + b"\0;"


def bmp(rows, width, bits, palette=None, masks=None, compression=0, top_down=False, os2=False):
    """rows: the pixels' bytes from the top row on; for run lengths one string of bytes."""
    height = len(rows)
    if compression in (1, 2):
        pixels, height = rows
    else:
        rows = rows if top_down else rows[::-1]
        pixels = b"".join(bytes(row) + b"\0" * (-len(row) % 4) for row in rows)
    colours = b"" if palette is None else b"".join(bytes([*colour[::-1]]) + b"\0" * (not os2) for colour in palette.tolist())
    fields = b"" if masks is None else struct.pack("<III", *masks)
    if os2:
        header = struct.pack("<IHHHH", 12, width, height, 1, bits)
    else:
        header = struct.pack("<IiiHHIIiiII", 40, width, -height if top_down else height, 1, bits, 3 if masks else compression,
                             len(pixels), 0, 0, 0 if palette is None else len(palette), 0)
    start = 14 + len(header) + len(fields) + len(colours)
    return b"BM" + struct.pack("<IHHI", start + len(pixels), 0, 0, start) + header + fields + colours + pixels


def bmp_runs(indices, nibbles):
    """Run lengths where pixels repeat, single pixels elsewhere, bottom row first: what bmp() takes as rows."""
    out = bytearray()
    for row in indices[::-1].tolist():
        at = 0
        while at < len(row):
            run = 1
            while at + run < len(row) and run < 255 and row[at + run] == row[at]:
                run += 1
            left = min(len(row) - at, 254)
            if run >= 3 or left < 3:
                out += bytes([run, row[at] * (17 if nibbles else 1)])
                at += run
                continue
            block = row[at:at + left]
            packed = pack_bits([block], 4)[0].tobytes() if nibbles else bytes(block)
            out += bytes([0, left]) + packed + b"\0" * (len(packed) % 2)
            at += left
        out += b"\0\0"
    return bytes(out) + b"\0\1", len(indices)


def tga(pixels, kind, depth, palette=None, packed=False, flags=0):
    """pixels: [height, width, depth / 8] of bytes in the file's order; palette: [colours, 3 or 4], blue first."""
    height, width = pixels.shape[:2]
    colours = b"" if palette is None else palette.astype(np.uint8).tobytes()
    header = struct.pack("<BBBHHBHHHHBB", 3, palette is not None, kind | 8 * packed, 0, 0 if palette is None else len(palette),
                         0 if palette is None else 8 * palette.shape[1], 0, 0, width, height, depth, flags)
    body = pixels.astype(np.uint8).tobytes()
    if packed:
        size = depth // 8
        flat = [body[i:i + size] for i in range(0, len(body), size)]
        out = bytearray()
        for y in range(height):
            row, at = flat[y * width:(y + 1) * width], 0
            while at < width:
                run = 1
                while at + run < width and run < 128 and row[at + run] == row[at]:
                    run += 1
                if run > 1:
                    out += bytes([0x80 | (run - 1)]) + row[at]
                else:
                    out += b"\0" + row[at]
                at += run
        body = bytes(out)
    return header + b"id!" + colours + body


def pnm(samples, kind, maximum=255):
    """samples: [height, width] or [height, width, 3]; kind 1 to 6."""
    height, width = samples.shape[:2]
    limit = b"" if kind in (1, 4) else b" %d" % maximum
    header = b"P%d # a comment\n%d\n%d%s\n" % (kind, width, height, limit)
    if kind == 1:
        return header + b"\n".join(b"".join(b"%d" % bit for bit in row) for row in samples.tolist()) + b"\n"
    if kind < 4:
        return header + b"\n".join(b" ".join(b"%d" % value for value in row.ravel().tolist()) for row in samples)
    if kind == 4:
        return header + pack_bits(samples, 1).tobytes()
    return header + samples.astype(">u2" if maximum > 255 else np.uint8).tobytes()
