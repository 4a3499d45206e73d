"""Makes tests/goldens/images: pictures of many kinds and what Pillow and torchvision make of them.

    python make_images.py PHOTO.jpg PHOTO.jpg      # a wide and a tall photo, kept as they are

The committed photos are from the CC0 clothing dataset. Made with Pillow 13.0, torchvision 0.26.
cases.txt has a line for each golden: its name, the input's file, resize_short, squash, crop, filter;
NAME.rgb holds the expected bytes, [crop, crop, 3].
"""
import pathlib
import shutil
import struct
import sys
import zlib

import numpy as np
from PIL import Image
from torchvision import transforms

FOLDER = pathlib.Path(__file__).parent / "images"


def pattern(width, height):
    """A smooth picture with sharp edges and full contrast."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    red = 127.5 + 127.5 * np.sin(x / 5) * np.cos(y / 7)
    green = 255 * ((x // 4 + y // 6) % 2)
    blue = 255 * x / width
    return np.stack([red, green, blue], axis=-1).round().astype(np.uint8)


def png16(path, pixels):
    """A 16-bit RGB PNG, which Pillow can read but not write."""
    height, width, _ = pixels.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def make_inputs(wide, tall):
    shutil.copyfile(wide, FOLDER / "wide.jpg")
    shutil.copyfile(tall, FOLDER / "tall.jpg")
    rgb = Image.fromarray(pattern(45, 31))
    alpha = Image.fromarray(pattern(45, 31)[..., 0])
    rgb.save(FOLDER / "plain.png")
    rgb.save(FOLDER / "plain.bmp")
    rgb.save(FOLDER / "plain.ppm")
    rgb.save(FOLDER / "packed.tga", compression="tga_rle")
    rgb.save(FOLDER / "progressive.jpg", progressive=True, quality=85)
    rgb.save(FOLDER / "full_chroma.jpg", subsampling="4:4:4", quality=90)
    rgb.convert("L").save(FOLDER / "grey.jpg")
    rgb.convert("L").save(FOLDER / "grey.png")
    rgb.convert("1").save(FOLDER / "bits.png")
    rgb.convert("CMYK").save(FOLDER / "cmyk.jpg")
    rgb.quantize(32).save(FOLDER / "palette.gif")
    rgb.quantize(32).save(FOLDER / "palette.png", transparency=3)
    Image.merge("RGBA", (*rgb.split(), alpha)).save(FOLDER / "alpha.png")
    png16(FOLDER / "deep.png", pattern(45, 31).astype(np.uint16) * 251 + 77)
    Image.fromarray(pattern(5, 150)).save(FOLDER / "sliver.png")
    Image.fromarray(pattern(1, 1)).save(FOLDER / "dot.png")


def expected(picture, resize_short, squash, crop, mode):
    if resize_short:
        size = (resize_short, resize_short) if squash else resize_short
        picture = transforms.Resize(size, mode)(picture)
    return np.asarray(transforms.CenterCrop(crop)(picture))


def main(wide, tall):
    FOLDER.mkdir(exist_ok=True)
    make_inputs(wide, tall)
    inputs = sorted(path for path in FOLDER.iterdir() if path.suffix not in (".rgb", ".txt"))
    cases = [(path.name.replace(".", "_"), path.name, 0, 0, 48, "bicubic") for path in inputs]  # decode, crop, pad
    cases += [
        ("wide_clip", "wide.jpg", 96, 0, 96, "bicubic"),
        ("tall_clip", "tall.jpg", 96, 0, 96, "bicubic"),
        ("tall_dino", "tall.jpg", 73, 0, 64, "bicubic"),
        ("wide_squash", "wide.jpg", 64, 1, 64, "bilinear"),
        ("wide_bilinear", "wide.jpg", 64, 0, 64, "bilinear"),
        ("tall_deit", "tall.jpg", 80, 1, 64, "bicubic"),
        ("tall_shrunk", "tall.jpg", 17, 0, 17, "bicubic"),
        ("plain_grown", "plain.png", 101, 0, 96, "bicubic"),
        ("plain_grown_bilinear", "plain.png", 101, 0, 96, "bilinear"),
        ("plain_padded", "plain.png", 32, 0, 40, "bicubic"),
        ("sliver_grown", "sliver.png", 32, 0, 32, "bicubic"),
        ("dot_grown", "dot.png", 16, 0, 16, "bicubic"),
    ]
    for name, file, resize_short, squash, crop, filter_name in cases:
        mode = transforms.InterpolationMode(filter_name)
        picture = Image.open(FOLDER / file).convert("RGB")
        (FOLDER / f"{name}.rgb").write_bytes(expected(picture, resize_short, squash, crop, mode).tobytes())
    (FOLDER / "cases.txt").write_text("".join(" ".join(map(str, case)) + "\n" for case in cases))


main(*sys.argv[1:])
