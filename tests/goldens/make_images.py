"""Makes tests/goldens/images: pictures of many kinds and what Pillow and three libraries make of them.

    python make_images.py PHOTO.jpg PHOTO.jpg      # a wide and a tall photo, kept as they are

The committed photos are from the CC0 clothing dataset. Made with Pillow 13.0, torchvision 0.26, transformers 5.23,
open_clip 3.3. cases.txt has a line for each golden: its name, the input's file, and the members of struct preprocess:
resize, fit, crop, filter, torchvision_crop, fill (a grey), upright. NAME.rgb holds the expected bytes, [crop, crop, 3].
"""
import pathlib
import shutil
import sys

import numpy as np
import picture_files as files
from open_clip.transform import CenterCropOrPad, ResizeKeepRatio
from PIL import Image, ImageOps
from torchvision import transforms
from transformers import CLIPImageProcessorPil

FOLDER = pathlib.Path(__file__).parent / "images"
SHORT, LONG, SQUASH = range(3)  # enum preprocess_fit


def pattern(width, height):
    """A smooth picture with sharp edges and full contrast."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    red = 127.5 + 127.5 * np.sin(x / 5) * np.cos(y / 7)
    green = 255 * ((x // 4 + y // 6) % 2)
    blue = 255 * x / width
    return np.stack([red, green, blue], axis=-1).round().astype(np.uint8)


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
    (FOLDER / "deep.png").write_bytes(files.png(pattern(45, 31).astype(np.uint16) * 251 + 77, 16, 2))
    Image.fromarray(pattern(5, 150)).save(FOLDER / "sliver.png")
    Image.fromarray(pattern(1, 1)).save(FOLDER / "dot.png")


def make_small_inputs():
    """The kinds that Pillow reads and does not write, and WebP."""
    rgb = pattern(21, 13)
    grey = rgb[..., 0].astype(np.uint32)
    picture = Image.fromarray(rgb)
    colours = picture.quantize(16)
    indices, palette = np.asarray(colours), np.resize(np.asarray(colours.getpalette(), np.uint8).reshape(-1, 3), (16, 3))
    turned = Image.Exif()
    turned[0x0112] = 6
    picture.save(FOLDER / "turned.jpg", exif=turned, quality=90)
    ImageOps.exif_transpose(Image.open(FOLDER / "turned.jpg")).save(FOLDER / "upright.png", optimize=True)
    picture.save(FOLDER / "lossy.webp", quality=80)
    Image.merge("RGBA", (*picture.split(), picture.split()[0])).save(FOLDER / "alpha.webp", lossless=True, exact=True)
    picture.save(FOLDER / "moving.webp", save_all=True, append_images=[ImageOps.mirror(picture)], lossless=True)
    ycck = bytearray((FOLDER / "cmyk.jpg").read_bytes())
    ycck[ycck.index(b"Adobe") + 11] = 2
    made = {
        "ycck.jpg": bytes(ycck),
        "grey2.png": files.png(grey[..., None] >> 6, 2, 0),
        "grey16.png": files.png(np.minimum(grey, 200)[..., None] * 2, 16, 0),
        "interlaced.png": files.png(rgb, 8, 2, interlaced=True),
        "palette4.png": files.png(indices[..., None], 4, 3, chunks=[(b"PLTE", palette.tobytes()), (b"tRNS", b"\0\x80")]),
        "part.gif": files.gif(indices, palette, canvas=(25, 15), offset=(3, 1), transparent=5),
        "lines.gif": files.gif(indices, palette, interlaced=True, local=True),
        "bits16.bmp": files.bmp(np.resize(np.arange(256, dtype=np.uint8), (13, 42)), 21, 16, masks=(0xF800, 0x7E0, 0x1F)),
        "runs4.bmp": files.bmp(files.bmp_runs(indices.repeat(2, 1), True), 42, 4, palette, compression=2),
        "runs8.bmp": files.bmp(files.bmp_runs(indices.repeat(4, 1), False), 84, 8, palette, compression=1),
        "os2.bmp": files.bmp(files.pack_bits(indices, 4), 21, 4, palette, os2=True),
        "plain.pbm": files.pnm(grey >> 7, 1),
        "raw.pbm": files.pnm(grey >> 7, 4),
        "maximum.pgm": files.pnm(grey * 4, 5, 1000),
        "plain3.ppm": files.pnm(rgb >> 5, 3, 7),
        "bits16.tga": files.tga(rgb[..., :2], 2, 16),
        "palette.tga": files.tga(indices[..., None], 1, 8, palette[:, ::-1], packed=True, flags=0x30),
    }
    for name, file in made.items():
        (FOLDER / name).write_bytes(file)
    return ["turned.jpg", "lossy.webp", "alpha.webp", "moving.webp", *made]


def expected(picture, resize, fit, crop, mode, torchvision_crop, fill):
    if not torchvision_crop:
        clip = CLIPImageProcessorPil(size=resize, crop_size=crop, do_resize=bool(resize), do_rescale=False, do_normalize=False)
        return clip(picture)["pixel_values"][0].transpose(1, 2, 0).copy()
    if fit == LONG:
        return np.asarray(CenterCropOrPad(crop, fill=fill)(ResizeKeepRatio(resize, longest=1, interpolation=mode)(picture)))
    if resize:
        picture = transforms.Resize((resize, resize) if fit == SQUASH else resize, mode)(picture)
    return np.asarray(transforms.CenterCrop(crop)(picture))


def main(wide, tall):
    FOLDER.mkdir(exist_ok=True)
    make_inputs(wide, tall)
    small = make_small_inputs()
    inputs = sorted(path.name for path in FOLDER.iterdir() if path.suffix not in (".rgb", ".txt") and path.name not in small)
    cases = [(name.replace(".", "_"), name, 0, SHORT, 48, "bicubic", 1, 0, 0) for name in inputs]  # decode, crop, pad
    cases += [(name.replace(".", "_"), name, 0, SHORT, 24, "bicubic", 1, 0, 0) for name in small]
    cases += [
        ("wide_clip", "wide.jpg", 96, SHORT, 96, "bicubic", 1, 0, 0),
        ("tall_clip", "tall.jpg", 96, SHORT, 96, "bicubic", 1, 0, 0),
        ("tall_dino", "tall.jpg", 73, SHORT, 64, "bicubic", 1, 0, 0),
        ("tall_transformers", "tall.jpg", 73, SHORT, 64, "bicubic", 0, 0, 0),
        ("small_transformers", "plain.png", 31, SHORT, 34, "bicubic", 0, 0, 0),
        ("wide_squash", "wide.jpg", 64, SQUASH, 64, "bilinear", 1, 0, 0),
        ("tall_squash", "tall.jpg", 64, SQUASH, 64, "bicubic", 1, 0, 0),
        ("sliver_squash", "sliver.png", 16, SQUASH, 16, "bicubic", 1, 0, 0),
        ("wide_longest", "wide.jpg", 64, LONG, 64, "bicubic", 1, 114, 0),
        ("plain_longest", "plain.png", 44, LONG, 40, "bilinear", 1, 7, 0),
        ("wide_bilinear", "wide.jpg", 64, SHORT, 64, "bilinear", 1, 0, 0),
        ("wide_lanczos", "wide.jpg", 40, SHORT, 40, "lanczos", 1, 0, 0),
        ("wide_box", "wide.jpg", 40, SHORT, 40, "box", 1, 0, 0),
        ("wide_hamming", "wide.jpg", 40, SHORT, 40, "hamming", 1, 0, 0),
        ("tall_deit", "tall.jpg", 80, SQUASH, 64, "bicubic", 1, 0, 0),
        ("tall_shrunk", "tall.jpg", 17, SHORT, 17, "bicubic", 1, 0, 0),
        ("plain_grown", "plain.png", 101, SHORT, 96, "bicubic", 1, 0, 0),
        ("plain_grown_bilinear", "plain.png", 101, SHORT, 96, "bilinear", 1, 0, 0),
        ("plain_padded", "plain.png", 32, SHORT, 40, "bicubic", 1, 0, 0),
        ("sliver_grown", "sliver.png", 32, SHORT, 32, "bicubic", 1, 0, 0),
        ("dot_grown", "dot.png", 16, SHORT, 16, "bicubic", 1, 0, 0),
        ("turned_upright", "turned.jpg", 0, SHORT, 24, "bicubic", 1, 0, 1),
    ]
    for name, file, resize, fit, crop, filter_name, torchvision_crop, fill, upright in cases:
        picture = Image.open(FOLDER / file)
        picture = (ImageOps.exif_transpose(picture) if upright else picture).convert("RGB")
        mode = transforms.InterpolationMode(filter_name)
        pixels = expected(picture, resize, fit, crop, mode, torchvision_crop, fill)
        (FOLDER / f"{name}.rgb").write_bytes(pixels.tobytes())
    (FOLDER / "cases.txt").write_text("".join(" ".join(map(str, case)) + "\n" for case in cases))


main(*sys.argv[1:])
