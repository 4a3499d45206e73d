"""Makes tests/goldens/augment: what torchvision over Pillow makes of a picture for given draws of the augmentation.

    python make_augment.py

Made with Pillow 13.0, torchvision 0.26. cases.txt has a line for each golden: its name, the input's file in
tests/goldens/images, the side of the square, the crop box (left, top, width, height), flip, the factors of brightness,
contrast, saturation and hue, the order in which they are applied, grey. NAME.rgb holds the expected bytes,
[side, side, 3].
"""
import pathlib

from PIL import Image
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as F

HERE = pathlib.Path(__file__).parent
ADJUST = [F.adjust_brightness, F.adjust_contrast, F.adjust_saturation, F.adjust_hue]
NEUTRAL = [1, 1, 1, 0]
KEEP = ((1, 1, 1, 0), (0, 1, 2, 3))
# name: file, side, box, flip, (factors, order), grey
CASES = {
    "crop": ("wide.jpg", 24, (31, 17, 100, 90), 0, KEEP, 0),
    "enlarged": ("plain.png", 24, (7, 3, 11, 9), 0, KEEP, 0),
    "flip": ("tall.jpg", 23, (5, 20, 120, 150), 1, KEEP, 0),
    "brightness": ("plain.png", 24, (0, 0, 45, 31), 0, ((1.3, 1, 1, 0), (0, 1, 2, 3)), 0),
    "contrast": ("plain.png", 24, (2, 0, 40, 31), 0, ((1, 0.45, 1, 0), (3, 1, 2, 0)), 0),
    "saturation": ("wide.jpg", 24, (40, 0, 90, 90), 0, ((1, 1, 1.8, 0), (0, 1, 2, 3)), 0),
    "hue": ("plain.png", 24, (0, 0, 45, 31), 0, ((1, 1, 1, 0.2), (0, 1, 2, 3)), 0),
    "hue_back": ("wide.jpg", 24, (10, 10, 100, 100), 1, ((1, 1, 1, -0.37), (0, 1, 2, 3)), 0),
    "all": ("plain.png", 24, (3, 2, 36, 29), 1, ((0.7, 1.4, 0.3, -0.1), (3, 1, 0, 2)), 0),
    "grey": ("tall.jpg", 24, (0, 0, 100, 180), 0, ((0.8, 0.8, 1.2, 0.05), (2, 0, 3, 1)), 1),
}


def make(file, side, box, flip, jitter, grey):
    left, top, width, height = box
    picture = Image.open(HERE / "images" / file).convert("RGB")
    assert left + width <= picture.width and top + height <= picture.height, (file, picture.size)
    picture = F.resized_crop(picture, top, left, height, width, [side, side], InterpolationMode.BICUBIC)
    picture = F.hflip(picture) if flip else picture
    factors, order = jitter
    for op in order:
        if factors[op] != NEUTRAL[op]:
            picture = ADJUST[op](picture, factors[op])
    return F.rgb_to_grayscale(picture, 3) if grey else picture


def main():
    folder = HERE / "augment"
    folder.mkdir(exist_ok=True)
    lines = []
    for name, (file, side, box, flip, jitter, grey) in CASES.items():
        (folder / f"{name}.rgb").write_bytes(make(file, side, box, flip, jitter, grey).tobytes())
        lines.append(" ".join(map(str, (name, file, side, *box, flip, *jitter[0], *jitter[1], grey))))
    (folder / "cases.txt").write_text("\n".join(lines) + "\n")


main()
