"""The demo's page in a real browser: what is drawn or opened is answered, and no answer outlives its drawing."""

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, Route, expect

from tests.tools.test_image import draw_seven
from tests.tools.test_server import encode, serving
from tools.digit.server import LARGEST_PICTURE, Server

Points = list[tuple[float, float]]
STROKES: dict[str, list[Points]] = {  # In percent of the canvas.
    "0": [[(50, 20), (36, 30), (32, 50), (36, 70), (50, 80), (64, 70), (68, 50), (64, 30), (50, 20)]],
    "1": [[(55, 15), (45, 85)]],
    "2": [[(32, 32), (40, 20), (58, 20), (66, 34), (58, 52), (32, 80), (70, 80)]],
    "3": [[(34, 22), (60, 20), (66, 32), (46, 48), (66, 60), (62, 78), (34, 80)]],
    "4": [[(38, 18), (32, 52), (68, 52)], [(64, 18), (60, 84)]],
    "5": [[(38, 20), (36, 46), (56, 44), (66, 58), (58, 78), (34, 80)], [(38, 20), (66, 18)]],
    "7": [[(30, 25), (68, 25), (45, 80)]],
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("demo")) as server:
        yield server


@contextmanager
def open_page(browser: Browser, address: str, width: int = 600, **options: Any) -> Iterator[Page]:
    """The demo in a tab of its own; at the end, nothing went wrong in it."""
    with closing(browser.new_context(viewport={"width": width, "height": 700}, **options)) as context:
        page = context.new_page()
        errors: list[object] = []
        page.on("pageerror", lambda error: errors.append(error))
        page.goto(address)
        yield page
        assert errors == []


@pytest.fixture
def page(browser: Browser, server: Server) -> Iterator[Page]:
    with open_page(browser, server.address) as page:
        yield page


def points_on(page: Page, stroke: Points) -> Points:
    box = page.locator("canvas").bounding_box()
    assert box is not None
    return [(box["x"] + box["width"] * x / 100, box["y"] + box["height"] * y / 100) for x, y in stroke]


def draw(page: Page, strokes: list[Points], steps: int = 5) -> None:
    """Draw with the mouse."""
    for stroke in strokes:
        first, *others = points_on(page, stroke)
        page.mouse.move(*first)
        page.mouse.down()
        for x, y in others:
            page.mouse.move(x, y, steps=steps)
        page.mouse.up()


def draw_by_touch(page: Page, strokes: list[Points]) -> None:
    touch = page.context.new_cdp_session(page)
    for stroke in strokes:
        for number, (x, y) in enumerate(points_on(page, stroke)):
            event = {"type": "touchMove" if number else "touchStart", "touchPoints": [{"x": x, "y": y}]}
            touch.send("Input.dispatchTouchEvent", event)
        touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def expect_state(page: Page, state: str, text: str | re.Pattern[str]) -> None:
    """Expect what the page says, and that there are probabilities just where there is an answer."""
    expect(page.locator("main")).to_have_attribute("data-state", state)
    expect(page.get_by_role("status")).to_have_text(text)
    shares = page.get_by_role("cell").filter(has_text="%")
    expect(shares).to_have_count(10 if state == "answer" else 0)
    expect(page.get_by_role("img", name="The picture that the network sees")).to_be_visible(visible=state == "answer")


def wait_until(page: Page, happens: Callable[[], Any]) -> None:
    """Playwright's own `wait_for_function` evaluates text, which the page's security policy forbids."""
    deadline = time.monotonic() + 10
    while not happens():
        assert time.monotonic() < deadline
        page.wait_for_timeout(10)


def is_drawn(page: Page, x: float, y: float) -> bool:
    """Whether there is ink at a place of the canvas, in percent."""
    script = (
        "([x, y]) => document.querySelector('canvas').getContext('2d').getImageData(5.6 * x, 5.6 * y, 1, 1).data[3]"
    )
    return bool(page.evaluate(script, [x, y]))


@pytest.mark.parametrize("width", [280, 375, 600, 1280])
@pytest.mark.parametrize("hand", ["mouse", "touch"])
def test_drawing_is_answered_beside_or_below_it(browser: Browser, server: Server, width: int, hand: str) -> None:
    with open_page(browser, server.address, width, has_touch=hand == "touch") as page:
        expect_state(page, "empty", "Nothing is drawn yet.")
        (draw if hand == "mouse" else draw_by_touch)(page, STROKES["5"])
        expect_state(page, "answer", re.compile(r"\d, with \d+\.\d %"))
        assert page.evaluate("[scrollX, scrollY, String(getSelection())]") == [0, 0, ""]
        assert page.evaluate("document.documentElement.scrollWidth") == width
        column, canvas, *others = [
            box
            for name in ("main", "canvas", ".buttons", "[role=status]", "table", "figure")
            if (box := page.locator(name).bounding_box())
        ]
        assert len(others) == 4
        assert column["width"] == min(width, 700)
        assert column["x"] * 2 + column["width"] == width
        assert 240 <= canvas["width"] < 360
        for box in others:
            is_below, is_beside = box["y"] >= canvas["y"] + canvas["height"], box["x"] >= canvas["x"] + canvas["width"]
            assert is_below or is_beside
            assert box["x"] + box["width"] <= column["x"] + column["width"]


def test_digits_keep_their_order_and_say_their_probabilities(page: Page, server: Server) -> None:
    page.locator("input").set_input_files(picture(draw_seven()))
    expect_state(page, "answer", re.compile(r"\d, with "))
    probabilities = server.classify(encode(draw_seven()))["probabilities"]
    rows = page.get_by_role("table", name="Probability of each digit").get_by_role("row")
    shares = [f"{digit} {100 * probability:.1f} %" for digit, probability in enumerate(probabilities)]
    assert [" ".join(text.split()) for text in rows.all_inner_texts()] == shares
    best = shares[max(range(10), key=probabilities.__getitem__)]
    expect(page.get_by_role("status")).to_have_text(best.replace(" ", ", with ", 1))
    expect(page.locator(".best")).to_have_text(best.replace(" ", "", 1))


def test_stroke_has_no_corners(page: Page) -> None:
    draw(page, [[(20, 20), (80, 20), (80, 80)]], steps=1)
    assert is_drawn(page, 72.5, 27.5)
    assert not is_drawn(page, 80, 20)


def test_dot_is_no_digit(page: Page) -> None:
    draw(page, [[(50, 50)]])
    assert is_drawn(page, 50, 50)
    expect_state(page, "refused", "No answer: that is only a dot.")
    draw(page, STROKES["1"])
    expect_state(page, "answer", re.compile(r"\d, with "))


def picture(image: Image.Image | bytes) -> Any:
    content = image if isinstance(image, bytes) else encode(image)
    return {"name": "picture.png", "mimeType": "image/png", "buffer": content}


def drop(page: Page, event: str, content: bytes) -> None:
    """Drop a file on the page, or paste it."""
    script = """([event, bytes]) => {
        const data = new DataTransfer();
        data.items.add(new File([new Uint8Array(bytes)], "picture.png", {type: "image/png"}));
        document.body.dispatchEvent(event === "drop"
            ? new DragEvent("drop", {dataTransfer: data, bubbles: true, cancelable: true})
            : new ClipboardEvent("paste", {clipboardData: data, bubbles: true}));
    }"""
    page.evaluate(script, [event, list(content)])


@pytest.mark.parametrize("way", ["button", "drop", "paste"])
def test_picture_takes_the_place_of_a_drawing_and_a_drawing_that_of_a_picture(page: Page, way: str) -> None:
    draw(page, [[(10, 10), (10, 40)]])
    if way == "button":
        with page.expect_file_chooser() as chooser:
            page.get_by_role("button", name="Open a picture").click()
        chooser.value.set_files(picture(draw_seven()))
    else:
        drop(page, way, encode(draw_seven()))
    expect_state(page, "answer", re.compile(r"\d, with "))
    assert is_drawn(page, 50, 50), "paper is shown, too"
    draw(page, STROKES["1"])
    expect_state(page, "answer", re.compile(r"\d, with "))
    assert not is_drawn(page, 90, 90)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (encode(Image.new("L", (200, 200), 255)), "shows no single digit: .*"),
        (b"no image", "is no .* image"),
        (bytes(LARGEST_PICTURE + 1), "has 10,000,001 bytes; allowed are 10,000,000"),
    ],
    ids=["blank", "no image", "too large"],
)
def test_picture_without_a_digit_gets_the_reason(page: Page, tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "picture.png").write_bytes(content)
    page.locator("input").set_input_files(tmp_path / "picture.png")
    expect_state(page, "refused", re.compile(f"No answer: the picture {reason}\\."))


def test_no_answer_stands_beside_another_drawing(page: Page) -> None:
    asked: list[Route] = []
    page.route("**/classify", lambda route: asked.append(route))

    def answer(number: int, digit: int) -> None:
        wait_until(page, lambda: len(asked) > number)
        said = {"probabilities": [float(other == digit) for other in range(10)], "seen": "data:,"}
        with page.expect_response("**/classify"):
            asked[number].fulfill(body=json.dumps(said))

    for stroke in STROKES["4"]:
        draw(page, [stroke])
        expect_state(page, "waiting", "Looking …")
    answer(0, 1)
    expect_state(page, "waiting", "Looking …")
    answer(1, 4)
    expect_state(page, "answer", "4, with 100.0 %")
    page.mouse.down()
    expect_state(page, "waiting", "")
    page.mouse.up()
    page.get_by_role("button", name="Clear").click()
    answer(2, 9)
    expect_state(page, "empty", "Nothing is drawn yet.")


def test_server_that_is_gone_is_said_and_found_again(browser: Browser, tmp_path: Path) -> None:
    with ExitStack() as running:
        server = running.enter_context(serving(tmp_path))
        with open_page(browser, server.address) as page:
            draw(page, STROKES["1"])
            expect_state(page, "answer", re.compile(r"\d, with "))
            running.close()
            draw(page, STROKES["7"])
            expect_state(page, "gone", "The server is gone: run “make demo” again, then draw on.")
            running.enter_context(serving(tmp_path, server.server_port))
            draw(page, STROKES["1"])
            expect_state(page, "answer", re.compile(r"\d, with "))


@pytest.mark.parametrize("keys", [["Escape"], ["Tab", "Enter"], ["Tab", "Space"]], ids="+".join)
def test_keyboard_clears(page: Page, keys: list[str]) -> None:
    draw(page, STROKES["1"])
    expect_state(page, "answer", re.compile(r"\d, with "))
    for key in keys:
        page.keyboard.press(key)
    expect_state(page, "empty", "Nothing is drawn yet.")
    assert not is_drawn(page, 50, 50)
    if "Tab" in keys:
        expect(page.get_by_role("button", name="Clear")).to_be_focused()
        expect(page.get_by_role("button", name="Clear")).to_have_css("outline-style", "solid")


CONTRASTS = """() => {
    const rgb = (colour) => colour.match(/[0-9.]+/g).map(Number);
    const light = (colour) => rgb(colour).slice(0, 3).map((value) => value / 255)
        .map((value) => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4)
        .reduce((sum, value, index) => sum + value * [0.2126, 0.7152, 0.0722][index], 0);
    const paper = light(getComputedStyle(document.body).backgroundColor);
    const texts = [...document.querySelectorAll("main *:not(noscript)")].filter((element) => element.innerText);
    return texts.map((element) => light(getComputedStyle(element).color))
        .map((ink) => (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05));
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_is_legible_in_light_and_dark(browser: Browser, server: Server, scheme: Any) -> None:
    """Source: WCAG 2.2, 1.4.3: a contrast of 4.5 at least."""
    with open_page(browser, server.address, color_scheme=scheme) as page:
        is_light = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert is_light == (scheme == "light")
        for strokes, state in (([], "empty"), ([[(50.0, 50.0)]], "refused"), (STROKES["1"], "answer")):
            draw(page, strokes)
            expect(page.locator("main")).to_have_attribute("data-state", state)
            contrasts = page.evaluate(CONTRASTS)
            assert len(contrasts) > 15
            assert min(contrasts) >= 4.5


def test_drawing_takes_on_a_new_colour_scheme(page: Page) -> None:
    draw(page, STROKES["1"])
    expect_state(page, "answer", re.compile(r"\d, with "))
    page.emulate_media(color_scheme="dark")
    script = "document.querySelector('canvas').getContext('2d').getImageData(280, 280, 1, 1).data[0] > 200"
    wait_until(page, lambda: page.evaluate(script))  # Light ink; the browser tells the page in its own time.
    expect_state(page, "answer", re.compile(r"\d, with "))
