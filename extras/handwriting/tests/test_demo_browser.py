"""The demo in headless Chromium, with the trained networks."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy.interpolate import make_interp_spline

playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")

from playwright.sync_api import Browser, Page, expect  # noqa: E402 - as above

ROOT = Path(__file__).resolve().parents[3]
NEEDED = [ROOT / "models/long/weights.npz", ROOT / "data/flat/test.npz"]

# Each digit as a person draws it: lines from point to point, the paper being 100 x 100.
STROKES = {
    "0": [[(50, 15), (36, 22), (29, 40), (29, 60), (36, 78), (50, 85), (64, 78), (71, 60), (71, 40),
           (64, 22), (50, 15)]],
    "1": [[(52, 14), (50, 50), (48, 86)]],
    "2": [[(30, 30), (38, 18), (52, 14), (66, 20), (69, 34), (60, 52), (44, 70), (29, 84), (50, 82),
           (73, 84)]],
    "3": [[(32, 20), (48, 14), (63, 19), (66, 32), (57, 44), (45, 48), (60, 53), (69, 66),
           (62, 80), (46, 86), (30, 80)]],
    "4": [[(34, 16), (30, 38), (28, 54), (50, 55), (72, 52)], [(66, 16), (63, 50), (60, 86)]],
    "5": [[(36, 18), (33, 46), (48, 42), (62, 48), (67, 64), (58, 80), (44, 86), (30, 82)],
          [(36, 17), (68, 15)]],
    "6": [[(60, 14), (44, 28), (34, 48), (32, 66), (40, 82), (54, 85), (65, 76), (64, 62),
           (52, 55), (38, 62)]],
    "7": [[(28, 20), (50, 19), (70, 17), (61, 40), (52, 62), (46, 86)]],
    "8": [[(62, 22), (48, 15), (37, 24), (42, 40), (58, 54), (65, 70), (54, 84), (40, 82),
           (34, 70), (44, 54), (60, 38), (62, 22)]],
    "9": [[(64, 28), (50, 16), (36, 24), (36, 40), (48, 46), (62, 38), (65, 26), (64, 50),
           (60, 86)]],
}  # fmt: skip


@pytest.fixture(scope="session")
def address() -> Iterator[str]:
    """Start the demo on a free port."""
    for path in NEEDED:
        if not path.exists():
            pytest.skip(f"{path.relative_to(ROOT)} is missing: run make repro first")
    command = [sys.executable, "-m", "extras.handwriting.demo", "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        line = server.stdout.readline()
        found = re.match(r"http://127\.0\.0\.1:\d+/", line)
        assert found, line
        yield found[0]
        server.terminate()


@pytest.fixture
def page(browser: Browser, address: str, request: pytest.FixtureRequest) -> Iterator[Page]:
    """Open the page; whatever the browser complains of, or asks of other servers, is a failure."""
    options = {"viewport": {"width": 1100, "height": 860}, "color_scheme": "light"}
    context = browser.new_context(**{**options, **getattr(request, "param", {})})
    opened = context.new_page()
    opened.set_default_timeout(10_000)
    complaints: list[str] = []
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    # A picture refused is part of the interface; Chromium notes it as an error all the same.
    opened.on(
        "console",
        lambda said: (
            complaints.append(said.text)
            if said.type == "error" and "status of 422" not in said.text
            else None
        ),
    )
    asked: list[str] = []
    opened.on("request", lambda request: asked.append(request.url))
    opened.goto(address)
    expect(opened.locator(".examples li")).to_have_count(10)
    yield opened
    context.close()
    assert complaints == []
    assert [url for url in asked if not url.startswith((address, "data:", "blob:"))] == []


PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
DARK = {"color_scheme": "dark"}


def curve(stroke: list[tuple[int, int]]) -> NDArray[np.float64]:
    """Return the points of a smooth line through those of a stroke."""
    last = len(stroke) - 1
    line = make_interp_spline(range(last + 1), stroke, k=min(2, last))
    return np.asarray(line(np.linspace(0, last, 8 * last)))


def draw(page: Page, digit: str, left: float = 0, scale: float = 1) -> None:
    """Draw a digit with the mouse; `left` and `scale` are fractions of the paper's side."""
    box = page.locator("#paper").bounding_box()
    assert box is not None
    for stroke in STROKES[digit]:
        points = [
            (
                box["x"] + (left + x / 100 * scale) * box["width"],
                box["y"] + (0.5 + (y / 100 - 0.5) * scale) * box["height"],
            )
            for x, y in curve(stroke)
        ]
        page.mouse.move(*points[0])
        page.mouse.down()
        for point in points[1:]:
            page.mouse.move(*point)
        page.mouse.up()


def wait_for_answer(page: Page) -> None:
    """Wait until what was drawn last is what is shown."""
    while page.evaluate("asking || again"):
        page.wait_for_timeout(50)


@pytest.mark.parametrize("digit", list(STROKES))
def test_digit_drawn_with_the_mouse_is_read(page: Page, digit: str) -> None:
    """Each of the ten digits, drawn as a person draws it, is read by both runs as what it is."""
    draw(page, digit)
    for run in ("long", "short"):
        page.get_by_role("radio", name=re.compile(f"^{run}")).check()
        wait_for_answer(page)
        expect(page.locator("#digits")).to_have_text(digit)
        expect(page.locator(".bars .best .name")).to_contain_text(digit)
        probability = page.locator(".bars .best .share").inner_text()
        expect(page.locator("#sure")).to_have_text(f"Probability {probability}")


def test_two_digits_are_read_from_left_to_right(page: Page) -> None:
    """Digits that stand apart are one number, and each can be looked at."""
    draw(page, "4", left=0, scale=0.5)
    draw(page, "2", left=0.5, scale=0.5)
    expect(page.locator("#digits")).to_have_text("42")
    expect(page.locator("#seen button")).to_have_count(2)
    page.locator("#seen button").first.click()
    expect(page.locator(".bars .best .name")).to_contain_text("4")


def test_clear_and_undo_take_away(page: Page) -> None:
    """Undo takes the last stroke away, and clearing everything."""
    draw(page, "1")
    expect(page.locator("#digits")).to_have_text("1")
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#sure")).to_have_text("Nothing yet")
    draw(page, "7")
    expect(page.locator("#digits")).to_have_text("7")
    page.get_by_role("button", name="Clear").click()
    expect(page.locator("#sure")).to_have_text("Nothing yet")
    expect(page.get_by_role("button", name="Clear")).to_be_disabled()


def test_example_is_read_with_its_label(page: Page) -> None:
    """A test image that is chosen is read, and its label says whether that is right."""
    page.get_by_role("button", name="Test image 0").click()
    expect(page.locator("#digits")).to_have_text("7")
    expect(page.locator("#note")).to_have_text("✓ Correct: the label is 7.")
    page.get_by_role("button", name="Ten more").click()
    expect(page.get_by_role("button", name="Test image 10")).to_be_visible()


def test_picture_is_taken_by_paste(page: Page) -> None:
    """A picture from elsewhere is read."""
    page.evaluate("""async () => {
        const canvas = Object.assign(document.createElement("canvas"), {width: 300, height: 200});
        const context = canvas.getContext("2d");
        context.fillStyle = "navy";
        context.fillRect(0, 0, 300, 200);
        context.strokeStyle = "yellow";
        context.lineWidth = 12;
        context.strokeRect(120, 40, 50, 100);
        const blob = await new Promise((resolve) => canvas.toBlob(resolve));
        const data = new DataTransfer();
        data.items.add(new File([blob], "zero.png", {type: "image/png"}));
        document.dispatchEvent(new ClipboardEvent("paste", {clipboardData: data}));
    }""")
    expect(page.locator("#digits")).to_have_text("0")
    draw(page, "7")
    expect(page.locator("#digits")).to_have_text("7")


def gradient() -> bytes:
    """Return a PNG file of paper that grows darker downwards."""
    file = BytesIO()
    Image.linear_gradient("L").save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "problem"),
    [(b"no picture", "Not a picture in a known format"), (gradient(), "No ink found")],
    ids=["garbage", "no digit"],
)
def test_upload_without_a_digit_is_refused_in_one_line(
    page: Page, content: bytes, problem: str
) -> None:
    """The page says what is wrong, and goes on working."""
    file = {"name": "a.png", "mimeType": "image/png", "buffer": content}
    page.locator("#file").set_input_files(file)
    expect(page.locator("#sure")).to_contain_text(problem)
    expect(page.locator("#digits")).to_have_text("?")
    draw(page, "3")
    expect(page.locator("#digits")).to_have_text("3")


def test_page_is_usable_by_keyboard_alone(page: Page) -> None:
    """Tab reaches everything that can be used and outlines it; arrows and Space draw a digit."""
    reached = []
    for _ in range(6):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.name"))
    # Clear and Undo are not in the way while there is nothing to clear.
    assert reached[:4] == ["run", "paper", "file", "more"]
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    expect(page.locator("#note")).to_contain_text("the label is")

    page.locator("#paper").focus()
    keys = ["ArrowUp"] * 10 + ["ArrowLeft"] * 6 + [" "] + ["ArrowRight"] * 11
    for key in keys:
        page.keyboard.press(key)
    page.keyboard.down("ArrowLeft")
    for _ in range(3):
        for _ in range(2):
            page.keyboard.press("ArrowDown")
        page.keyboard.up("ArrowLeft")
        for _ in range(5):
            page.keyboard.press("ArrowDown")
        page.keyboard.down("ArrowLeft")
    page.keyboard.up("ArrowLeft")
    page.keyboard.press(" ")
    expect(page.locator("#digits")).to_have_text("7")
    expect(page.get_by_role("status")).to_contain_text("Predicted 7")
    page.keyboard.press("Escape")
    expect(page.locator("#sure")).to_have_text("Nothing yet")


@pytest.mark.parametrize("page", [PHONE], indirect=True)
def test_page_fits_a_phone(page: Page) -> None:
    """At 360 pixels nothing sticks out, and a finger draws."""
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    box = page.locator("#paper").bounding_box()
    assert box is not None
    touch = page.context.new_cdp_session(page)
    (stroke,) = STROKES["3"]
    places = [
        [{"x": box["x"] + x / 100 * box["width"], "y": box["y"] + y / 100 * box["height"]}]
        for x, y in stroke
    ]
    touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": places[0]})
    for place in places[1:]:
        touch.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": place})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    expect(page.locator("#digits")).to_have_text("3")
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    sure = page.locator("#sure").bounding_box()
    assert sure is not None
    assert sure["y"] + sure["height"] < 740


@pytest.mark.parametrize("page", [DARK], indirect=True)
def test_dark_scheme_draws_light_ink(page: Page) -> None:
    """In the dark the ink is light, and is read just the same."""
    draw(page, "2")
    expect(page.locator("#digits")).to_have_text("2")
    brightest = page.evaluate(
        "paper.getContext('2d').getImageData(0, 0, 560, 560).data.reduce((a, b) => Math.max(a, b))"
    )
    assert brightest > 200


def test_screenshot_for_the_documentation(page: Page, tmp_path: Path) -> None:
    """The page with a digit drawn is a picture; DEMO_SCREENSHOT says where it should go."""
    target = Path(os.environ.get("DEMO_SCREENSHOT", tmp_path / "demo.png"))
    draw(page, "5")
    wait_for_answer(page)
    expect(page.get_by_role("status")).to_contain_text("Predicted 5")
    page.mouse.move(0, 0)
    page.screenshot(path=target)
    assert target.read_bytes().startswith(b"\x89PNG")
