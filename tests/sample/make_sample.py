#!/usr/bin/env python3
"""Makes the sample: the photos, their captions and the classes of this folder.

    python3 tests/sample/make_sample.py SOURCES

SOURCES holds the two source sets, as README.md names them, in SOURCES/grocery and SOURCES/clothing. Needs Pillow.
Two tables written by hand stand beside this script: selection.csv has a row for each photo, with what a person sees
in it; facts.csv has a row for each class, with what the grocery set's descriptions say of it. All else follows from
them, and two runs give the same files.
"""
import csv
import pathlib
import random
import shutil
import sys

from PIL import Image

HERE = pathlib.Path(__file__).resolve().parent
SHORT_SIDE = 192
QUALITY = 80


def read_csv(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def write_csv(path, header, rows):
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def sentence(text):
    return text[0].upper() + text[1:] + "."


def with_colour(colour, noun, plural):
    if plural:
        return f"{colour} {noun}"
    return f"{'an' if colour[0] in 'aeiou' else 'a'} {colour} {noun}"


def grocery_captions(photo, facts, number):
    setting = photo["setting"]
    shown = [f"{photo['subject']} {setting}"]
    packaged = facts["name"].startswith("a ")
    if "hand" in setting and not packaged:  # one of the things that the class names in the plural
        return shown + [f"{setting}: one of the {facts['about']}"]
    opening = ("", "a photo of ", "a picture of ")[number % 3]
    return shown + [f"{opening}{facts['about']}, {setting}", f"{facts['name']} {setting}, {facts['use']}"]


def clothing_captions(photo, facts, number, for_kids):
    colour, subject, setting = photo["colour"], photo["subject"], photo["setting"]
    plural = not subject.startswith(("a ", "an "))
    noun = subject if plural else subject.split(" ", 1)[1]
    shown = f"{with_colour(colour, noun, plural)} {setting}"
    plain = with_colour(colour, facts["name"], plural)
    if for_kids:
        plain += " for a child"
    opening = ("", "a photo of ", "second-hand clothes: ")[number % 3]
    return [shown, f"{opening}{plain} {setting}"]


def save_photo(source, target):
    with Image.open(source) as image:
        image = image.convert("RGB")
        scale = min(1, SHORT_SIDE / min(image.size))
        image = image.resize([round(side * scale) for side in image.size], Image.LANCZOS)
        image.save(target, quality=QUALITY, optimize=True)  # a new file: no metadata of the source is kept


def main(sources):
    facts = {row["class"]: row for row in read_csv(HERE / "facts.csv")}
    kids = {row["image"] for row in read_csv(sources / "clothing/images.csv") if row["kids"] == "True"}
    photos = read_csv(HERE / "selection.csv")
    random.Random(2026).shuffle(photos)  # so that neither a file's name nor its place tells its class

    images = HERE / "images"
    shutil.rmtree(images, ignore_errors=True)
    images.mkdir()
    captions, labels = [], []
    for number, photo in enumerate(photos):
        image, source, fact = f"{number:04d}.jpg", pathlib.Path(photo["source"]), facts[photo["class"]]
        save_photo(sources / source, images / image)
        if source.parts[0] == "grocery":
            texts = grocery_captions(photo, fact, number)
        else:
            texts = clothing_captions(photo, fact, number, source.stem in kids)
        captions += [(image, sentence(text)) for text in texts]
        if fact["family"]:
            labels.append((image, fact["family"]))

    write_csv(HERE / "captions.csv", ("image", "caption"), captions)
    write_csv(HERE / "labels.csv", ("image", "class"), labels)
    classes = sorted({name for _, name in labels})
    (HERE / "classes.txt").write_text("".join(f"{name}\n" for name in classes), encoding="utf-8")
    print(f"{len(photos)} photos, {len(captions)} captions, {len(classes)} classes on {len(labels)} photos")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: make_sample.py SOURCES")
    main(pathlib.Path(sys.argv[1]))
