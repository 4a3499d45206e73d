#!/usr/bin/env python3
"""Uses the page of tools/serve as a person does, in Chromium, and compares what is shown with what the server says.

    pip install playwright          # drives Debian's own chromium
    build/tools/serve --model MODEL --gallery tests/sample/images &
    python tests/peers/serve_page.py http://127.0.0.1:8080/ tests/sample/images/0001.jpg --shots shots/
"""
import argparse
import base64
import json
import pathlib
import time
import urllib.request

from playwright.sync_api import sync_playwright

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("url")
parser.add_argument("picture", type=pathlib.Path)
parser.add_argument("--query", default="apples")
parser.add_argument("--shots", type=pathlib.Path, help="a folder for screenshots")
parser.add_argument("--chromium", default="/usr/bin/chromium")
options = parser.parse_args()


def expected(**asked):
    body = {"num_images": 24, "min_score": "auto", **asked}
    request = urllib.request.Request(options.url + "knn-service", json.dumps(body).encode())
    with urllib.request.urlopen(request) as reply:
        return [hit["image_path"] for hit in json.load(reply)]


def wait_until(page, condition):
    """wait_for_function would need the page to allow eval, which it does not."""
    end = time.monotonic() + 30
    while not page.evaluate(condition):
        assert time.monotonic() < end, f"never: {condition}"
        page.wait_for_timeout(20)


def compare(page, what, **asked):
    wanted = expected(**asked)
    wait_until(page, "!document.querySelector('#state').textContent.startsWith('Searching')")
    wait_until(page, "[...document.querySelectorAll('.grid img')].every("
               "i => i.getBoundingClientRect().top > innerHeight || i.complete && i.naturalWidth)")
    shown = page.eval_on_selector_all(".grid a", "links => links.map(a => a.title)")
    assert shown == wanted, f"{what}: shows {shown[:5]}..., not {wanted[:5]}..."
    assert wanted or "Nothing matches" in page.inner_text("#state"), what
    print(f"{what}: {len(shown)} photos, as the server says")
    if options.shots:
        options.shots.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=options.shots / f"{what.replace(' ', '-')}.png")


def drop(page, path):
    page.evaluate("""([bytes, name]) => {
        const data = new DataTransfer();
        data.items.add(new File([Uint8Array.from(atob(bytes), c => c.charCodeAt(0))], name, {type: "image/jpeg"}));
        for (const kind of ["dragover", "drop"])
            document.body.dispatchEvent(new DragEvent(kind, {dataTransfer: data, bubbles: true, cancelable: true}));
    }""", [base64.b64encode(path.read_bytes()).decode(), path.name])
    page.wait_for_selector("#seed:not([hidden])")


def use(page):
    troubles = []
    page.on("console", lambda message: message.type == "error" and troubles.append(message.text))
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.goto(options.url)
    page.keyboard.type(options.query)
    page.keyboard.press("Enter")
    page.wait_for_selector("#state:not(:empty)")
    compare(page, "words", text=options.query)
    page.evaluate("document.querySelector('#near').click()")
    compare(page, "words and what hardly matches", text=options.query, min_score="none")

    page.keyboard.press("Escape")
    page.focus("#text")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    second = page.evaluate("document.activeElement.title")
    assert second == expected(text=options.query, min_score="none")[1], "the arrow keys lead elsewhere"
    page.keyboard.press("Enter")
    wait_until(page, "document.querySelector('#view').open && document.querySelector('#view img').naturalWidth")
    if options.shots:
        page.screenshot(path=options.shots / "one.png")
    page.keyboard.press("Escape")
    number = page.evaluate("found[1].id")
    page.keyboard.press("m")
    wait_until(page, f"seed && seed.like === {number}")
    compare(page, "more like the second", like=number, min_score="none")

    drop(page, options.picture)
    picture = base64.b64encode(options.picture.read_bytes()).decode()
    compare(page, "a picture", image=picture, min_score="none")
    page.click("#more summary")
    page.select_option("#orientation", "portrait")
    compare(page, "a picture and a filter", image=picture, min_score="none", filter={"orientation": "portrait"})
    page.fill("#text", "a + + b")
    page.click("button.go")
    page.wait_for_selector("#state.bad")
    assert "term is missing" in page.inner_text("#state")
    assert troubles == ["Failed to load resource: the server responded with a status of 400 (Bad Request)"], troubles


with sync_playwright() as playwright:
    browser = playwright.chromium.launch(executable_path=options.chromium, args=["--no-sandbox"])
    for scheme, width in (("light", 1280), ("dark", 420)):
        options.shots = options.shots and options.shots / scheme
        print(f"{scheme}, {width} pixels wide")
        use(browser.new_page(color_scheme=scheme, viewport={"width": width, "height": 900}))
        options.shots = options.shots and options.shots.parent
    browser.close()
