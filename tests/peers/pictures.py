"""Pictures of every kind: oclip's pixels against Pillow's, and its squares against those of the models' own libraries.

    python pictures.py PHOTOS build/tests/dump_pictures [--each 25] [--seed 0] [--keep FOLDER]

Takes photos from the folder, writes `--each` files of every kind from parts of them, decodes those with both, and
prints by kind the share of equal pixels and the largest difference. Every file is cut once more at a random place, to
see who refuses it. Then the same photos are prepared as transformers, open_clip and timm prepare them.
"""
import argparse
import io
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
from PIL import Image, ImageOps

sys.path.append(str(pathlib.Path(__file__).parents[1] / "goldens"))
import picture_files as files


# --- kinds: functions of (photo, rng) that return a file's bytes ----------------------------------------------------


def save(picture, kind, **options):
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def jpeg(mode="RGB", **options):
    return lambda photo, rng: save(photo.convert(mode), "JPEG", quality=int(rng.integers(5, 100)), **options)


def jpeg_turned(photo, rng):
    exif = Image.Exif()
    exif[0x0112] = int(rng.integers(1, 9))
    kind, options = [("JPEG", {}), ("PNG", {}), ("WEBP", {"lossless": True})][rng.integers(3)]
    return save(photo, kind, exif=exif, **options)


def jpeg_ycck(photo, rng):
    """Pillow writes CMYK untransformed; with Adobe's mark changed the same numbers are YCCK."""
    data = bytearray(save(photo.convert("CMYK"), "JPEG", quality=90))
    data[data.index(b"Adobe") + 11] = 2
    return bytes(data)


def with_alpha(photo, rng, mode="RGBA"):
    alpha = Image.fromarray(rng.integers(0, 256, (8, 8), np.uint8)).resize(photo.size, Image.Resampling.NEAREST)
    return Image.merge(mode, (*photo.convert(mode[:-1]).split(), alpha))


def grey(photo, bits):
    return (np.asarray(photo.convert("L")).astype(np.uint32) * 257) >> (16 - bits)


def deep(photo, rng):
    """16 bits a channel, noise in the low byte."""
    wide = np.asarray(photo).astype(np.uint32) << 8
    return wide | rng.integers(0, 256, wide.shape)


def indexed(photo, colours):
    picture = photo.quantize(colours)
    palette = np.resize(np.asarray(picture.getpalette(), np.uint8).reshape(-1, 3), (colours, 3))
    return np.asarray(picture), palette


def png(depth, colour, interlaced=False):
    def make(photo, rng):
        chunks = []
        if colour == 0:
            samples = grey(photo, depth)[..., None]
            samples = np.minimum(samples, 300) if depth == 16 and rng.integers(2) else samples
        elif colour == 3:
            samples, palette = indexed(photo, 1 << depth)
            samples = samples[..., None]
            chunks.append((b"PLTE", palette.tobytes()))
        else:
            samples = deep(photo, rng)[..., :1 if colour == 4 else 3]
            samples = np.dstack([samples, rng.integers(0, 65536, samples.shape[:2])]) if colour > 3 else samples
            samples = samples >> (16 - depth)
        if rng.integers(2) and colour in (0, 2, 3):
            chunks.append((b"tRNS", bytes([0, 128]) if colour == 3 else bytes([0, 1] * (1 if colour == 0 else 3))))
        return files.png(samples, depth, colour, interlaced, chunks)

    return make


def gif(**options):
    def make(photo, rng):
        indices, palette = indexed(photo, 1 << int(rng.integers(1, 9)))
        height, width = indices.shape
        chosen = {name: value(rng, width, height) if callable(value) else value for name, value in options.items()}
        return files.gif(indices, chosen.pop("palette", palette), **chosen)

    return make


PART = {"canvas": lambda rng, w, h: (w + int(rng.integers(0, 9)), max(1, h + int(rng.integers(-5, 9)))), "offset": (3, 2)}


def animation(kind):
    return lambda photo, rng: save(photo, kind, save_all=True, append_images=[ImageOps.mirror(photo)], duration=40)


def bmp_palette(bits, runs=False, **options):
    def make(photo, rng):
        indices, palette = indexed(photo, 1 << bits)
        if runs:
            small = np.repeat(np.repeat(indices[::4, ::4], 4, 0), 4, 1)[:indices.shape[0], :indices.shape[1]]
            return files.bmp(files.bmp_runs(small, bits == 4), small.shape[1], bits, palette, compression=2 if bits == 4 else 1)
        return files.bmp(files.pack_bits(indices, bits), indices.shape[1], bits, palette, **options)

    return make


def bmp_fields(bits, masks=None, **options):
    def make(photo, rng):
        height, width = photo.size[::-1]
        rows = rng.integers(0, 256, (height, width * bits // 8), np.uint8)
        return files.bmp(rows, width, bits, masks=masks, **options)

    return make


def tga(kind, depth, packed=False, flags=0):
    def make(photo, rng):
        palette = None
        if kind == 1:
            pixels, palette = indexed(photo, 64)
            pixels, palette = pixels[..., None], palette[:, ::-1]
        else:
            pixels = rng.integers(0, 256, (*photo.size[::-1], depth // 8), np.uint8)
            pixels[..., :2] = np.asarray(photo.convert("LA"))[..., :pixels[..., :2].shape[2]]
        return files.tga(pixels, kind, depth, palette, packed, flags)

    return make


def pnm(kind, maximum=255):
    def make(photo, rng):
        samples = np.asarray(photo.convert("RGB" if kind % 3 == 0 else "L")).astype(np.int64)
        samples = samples >> 7 if kind % 3 == 1 else samples * maximum // 255
        return files.pnm(samples, kind, maximum)

    return make


KINDS = {
    "JPEG 4:4:4": jpeg(subsampling=0), "JPEG 4:2:2": jpeg(subsampling=1), "JPEG 4:2:0": jpeg(subsampling=2),
    "JPEG progressive": jpeg(progressive=True), "JPEG restart marks": jpeg(restart_marker_blocks=3),
    "JPEG grey": jpeg("L"), "JPEG RGB": jpeg(keep_rgb=True), "JPEG CMYK": jpeg("CMYK"), "JPEG YCCK": jpeg_ycck,
    "EXIF orientation": jpeg_turned,
    **{f"PNG grey {bits}": png(bits, 0) for bits in (1, 2, 4, 8, 16)},
    **{f"PNG palette {bits}": png(bits, 3) for bits in (1, 2, 4, 8)},
    **{f"PNG {name} {bits}": png(bits, colour)
       for name, colour in (("RGB", 2), ("grey alpha", 4), ("RGBA", 6)) for bits in (8, 16)},
    **{f"PNG interlaced {colour}.{bits}": png(bits, colour, True) for colour, bits in ((0, 1), (0, 16), (2, 8), (3, 4), (6, 8))},
    "PNG by Pillow": lambda photo, rng: save(with_alpha(photo, rng), "PNG"),
    "GIF": gif(), "GIF interlaced": gif(interlaced=True), "GIF transparent": gif(transparent=1), "GIF part": gif(**PART),
    "GIF part, transparent": gif(transparent=1, **PART), "GIF local palette": gif(local=True),
    "GIF without palette": gif(palette=None), "GIF animation": animation("GIF"),
    "BMP 1": bmp_palette(1), "BMP 4": bmp_palette(4), "BMP 8": bmp_palette(8), "BMP 8 OS/2": bmp_palette(8, os2=True),
    "BMP runs of 4": bmp_palette(4, True), "BMP runs of 8": bmp_palette(8, True),
    "BMP 5-5-5": bmp_fields(16), "BMP 5-6-5": bmp_fields(16, (0xF800, 0x7E0, 0x1F)),
    "BMP 24": bmp_fields(24), "BMP 24 top down": bmp_fields(24, top_down=True), "BMP 32": bmp_fields(32),
    "BMP 32 fields": bmp_fields(32, (0xFF000000, 0xFF0000, 0xFF00)),
    "TGA grey": tga(3, 8), "TGA grey alpha": tga(3, 16), "TGA palette": tga(1, 8), "TGA 16": tga(2, 16), "TGA 24": tga(2, 24),
    "TGA 32 top down": tga(2, 32, flags=0x20), "TGA 24 mirrored": tga(2, 24, flags=0x10),
    "TGA packed grey": tga(3, 8, True), "TGA packed palette": tga(1, 8, True), "TGA packed 32": tga(2, 32, True),
    **{f"PNM P{kind}": pnm(kind) for kind in range(1, 7)},
    **{f"PNM P{kind}, maximum {maximum}": pnm(kind, maximum) for kind in (2, 3, 5, 6) for maximum in (7, 100, 1000)},
    "PNM P5, maximum 65535": pnm(5, 65535),
    "WebP lossy": lambda photo, rng: save(photo, "WEBP", quality=int(rng.integers(5, 100))),
    "WebP lossless": lambda photo, rng: save(photo, "WEBP", lossless=True),
    "WebP lossy alpha": lambda photo, rng: save(with_alpha(photo, rng), "WEBP", quality=int(rng.integers(5, 100))),
    "WebP lossless alpha": lambda photo, rng: save(with_alpha(photo, rng), "WEBP", lossless=True, exact=True),
    "WebP animation": animation("WEBP"),
}


# --- the transforms: a model folder's file and the same in Python, a function of an RGB picture ----------------------


def transformers_case(name, **settings):
    import transformers

    processor = getattr(transformers, name + "Pil")(**settings)
    prepare = lambda picture: processor(picture, do_rescale=False, do_normalize=False)["pixel_values"][0].transpose(1, 2, 0)
    return "preprocessor_config.json", processor.to_dict(), prepare


def open_clip_case(**settings):
    from open_clip.transform import PreprocessCfg, image_transform_v2

    steps = image_transform_v2(PreprocessCfg(**settings), is_train=False).transforms[:-2]

    def prepare(picture):
        for step in steps:
            picture = step(picture)
        return np.asarray(picture)

    return "open_clip_config.json", {"model_cfg": {"vision_cfg": {"image_size": settings["size"]}}, "preprocess_cfg": settings}, prepare


def timm_case(size, **settings):
    from timm.data.transforms_factory import transforms_imagenet_eval

    steps = transforms_imagenet_eval(img_size=(size, size), normalize=False, **settings)
    prepare = lambda picture: steps(picture).numpy().transpose(1, 2, 0)
    return "config.json", {"pretrained_cfg": {"input_size": [3, size, size], **settings}}, prepare


def upright_case():
    name, settings, prepare = transformers_case("CLIPImageProcessor")
    return name, {**settings, "exif_orientation": True}, prepare


def transforms():
    return {
        "transformers CLIP": transformers_case("CLIPImageProcessor"),
        "transformers CLIP 336": transformers_case("CLIPImageProcessor", size=336, crop_size=336),
        "transformers CLIP, crop without resize": transformers_case("CLIPImageProcessor", do_resize=False),
        "transformers Bit (DINOv2)": transformers_case("BitImageProcessor", size={"shortest_edge": 256}),
        "transformers ViT": transformers_case("ViTImageProcessor"),
        "transformers ViT, lanczos": transformers_case("ViTImageProcessor", resample=1),
        "transformers Siglip 384": transformers_case("SiglipImageProcessor", size={"height": 384, "width": 384}),
        "transformers DeiT": transformers_case("DeiTImageProcessor"),
        "transformers Blip": transformers_case("BlipImageProcessor"),
        "transformers ConvNext 224": transformers_case("ConvNextImageProcessor", size={"shortest_edge": 224}),
        "open_clip shortest": open_clip_case(size=224),
        "open_clip shortest, bilinear": open_clip_case(size=97, interpolation="bilinear"),
        "open_clip squash": open_clip_case(size=256, resize_mode="squash"),
        "open_clip longest": open_clip_case(size=224, resize_mode="longest", fill_color=114),
        "timm center": timm_case(224, crop_pct=0.9, interpolation="bicubic"),
        "timm squash": timm_case(192, crop_pct=1.0, interpolation="bilinear", crop_mode="squash"),
        "timm border": timm_case(224, crop_pct=0.95, interpolation="bicubic", crop_mode="border", mean=(0.485, 0.456, 0.406)),
        "timm box": timm_case(64, crop_pct=0.875, interpolation="box"),
        "timm hamming": timm_case(64, crop_pct=0.875, interpolation="hamming"),
        "CLIP, exif_orientation": upright_case(),
    }


# --- the comparison ------------------------------------------------------------------------------------------------


def dump(program, paths, *folder):
    """A list of [height, width, 3] arrays, or texts where a picture was refused."""
    output = io.BytesIO(subprocess.run([program, *folder], input="".join(f"{path}\n" for path in paths).encode(),
                                       stdout=subprocess.PIPE, check=True).stdout)
    answers = []
    for _ in paths:
        line = output.readline().decode(errors="replace").rstrip("\n")
        if line.startswith("error "):
            answers.append(line[6:])
        else:
            width, height, _ = map(int, line.split())
            answers.append(np.frombuffer(output.read(3 * width * height), np.uint8).reshape(height, width, 3))
    return answers


def by_pillow(path, prepare=np.asarray, upright=False):
    """The same in Python; a text where Pillow refuses the file."""
    try:
        picture = Image.open(path)
        picture = ImageOps.exif_transpose(picture) if upright else picture
        return np.asarray(prepare(picture.convert("RGB")))
    except Exception as error:
        return f"{type(error).__name__}: {error}"


class Tally:
    def __init__(self):
        self.pictures = self.pixels = self.equal = self.worst = self.only_one = 0

    def add(self, ours, theirs):
        self.pictures += 1
        if isinstance(ours, str) or isinstance(theirs, str) or ours.shape != theirs.shape:
            self.only_one += not (isinstance(ours, str) and isinstance(theirs, str))
            return
        difference = np.abs(ours.astype(int) - theirs.astype(int)).max(-1)
        self.pixels += difference.size
        self.equal += int((difference == 0).sum())
        self.worst = max(self.worst, int(difference.max()))

    def good(self):
        return self.only_one == 0 and self.worst <= 1 and self.equal >= 0.999 * self.pixels

    def line(self, name):
        share = 100 * self.equal / max(self.pixels, 1)
        return f"{name:38} {self.pictures:6} {share:11.4f} % {self.worst:4} {self.only_one:5}  {'' if self.good() else 'SHORT'}"


def make_photo(photos, rng):
    photo = Image.open(photos[rng.integers(len(photos))]).convert("RGB")
    size = [int(rng.integers(1, 160)) for _ in range(2)]
    corner = [int(rng.integers(max(whole - part, 0) + 1)) for whole, part in zip(photo.size, size)]
    photo = photo.crop((*corner, corner[0] + size[0], corner[1] + size[1]))
    return photo if rng.integers(8) else Image.fromarray(rng.integers(0, 256, (*size[::-1], 3), np.uint8))


def write_pictures(folder, photos, each, rng):
    """{kind: [paths]}; the files have no extensions, so that only their content tells what they are"""
    paths = {}
    for number, (kind, make) in enumerate(KINDS.items()):
        paths[kind] = [folder / f"{number:02}-{i:03}" for i in range(each)]
        for path in paths[kind]:
            path.write_bytes(make(make_photo(photos, rng), rng))
    return paths


def compare_decoding(program, pictures):
    total = Tally()
    for kind, paths in pictures.items():
        tally = Tally()
        for path, ours in zip(paths, dump(program, paths)):
            theirs = by_pillow(path)
            if isinstance(ours, str) or isinstance(theirs, str):
                print(f"  {path}: oclip {ours if isinstance(ours, str) else 'reads it'}, "
                      f"Pillow {theirs if isinstance(theirs, str) else 'reads it'}")
            tally.add(ours, theirs)
            total.add(ours, theirs)
        print(tally.line(kind), flush=True)
    print(total.line("all pictures"))
    return total.good()


def compare_cuts(program, pictures, folder, rng):
    """Both must refuse; a cut that both read must give the same pixels (it took nothing that matters)."""
    cuts = []
    for path in (path for paths in pictures.values() for path in paths):
        data = path.read_bytes()
        cuts.append(folder / f"cut-{path.name}")
        cuts[-1].write_bytes(data[:rng.integers(len(data))])
    both = ours_only = theirs_only = different = 0
    for path, ours in zip(cuts, dump(program, cuts)):
        theirs = by_pillow(path)
        refused = isinstance(ours, str), isinstance(theirs, str)
        both += all(refused)
        ours_only += refused == (True, False)
        theirs_only += refused == (False, True)
        different += not any(refused) and not np.array_equal(ours, theirs)
        if refused == (False, True):
            print(f"  {path}: oclip reads it; Pillow {theirs}")
    print(f"{len(cuts)} files cut short: refused by both {both}, by oclip alone {ours_only}, by Pillow alone {theirs_only}; "
          f"read by both and different {different}")
    return theirs_only == 0 and different == 0


def compare_transforms(program, photos, parts, turned, folder, rng):
    """On whole photos and on small parts of some, which are enlarged."""
    good = True
    for name, (file, settings, prepare) in transforms().items():
        (folder / file).write_text(json.dumps(settings))
        upright = settings.get("exif_orientation", False)
        chosen = [photos[i] for i in rng.choice(len(photos), min(50, len(photos)), replace=False)]
        paths = turned if upright else chosen + parts
        tally = Tally()
        for path, ours in zip(paths, dump(program, paths, folder)):
            tally.add(ours, by_pillow(path, prepare, upright))
        (folder / file).unlink()
        print(tally.line(name), flush=True)
        good = good and tally.good()
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=pathlib.Path)
    parser.add_argument("program")
    parser.add_argument("--each", type=int, default=25)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=pathlib.Path, help="write the pictures here and leave them")
    args = parser.parse_args()
    rng = np.random.default_rng(args.seed)
    photos = sorted(path for path in args.photos.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg"))
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.keep or pathlib.Path(temporary)
        folder.mkdir(exist_ok=True)
        print(f"{'':38} {'files':>6} {'equal pixels':>13} {'off':>4} {'alone':>5}")
        pictures = write_pictures(folder, photos, args.each, rng)
        good = compare_decoding(args.program, pictures)
        good = compare_cuts(args.program, pictures, folder, rng) and good
        parts, turned = pictures["JPEG 4:2:0"], pictures["EXIF orientation"]
        good = compare_transforms(args.program, photos, parts, turned, folder, rng) and good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
