"""The demo in headless Chromium, with the trained models."""

import subprocess
import sys
from collections.abc import Iterator
from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageDraw
from scipy.interpolate import make_interp_spline

from tests.workspace import ROOT

playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")

from playwright.sync_api import Browser, FilePayload, Page, expect  # noqa: E402 - as above

# Each digit as a person draws it: lines from point to point, the paper being 100 x 100.
STROKES = {
    "0": [[(50, 15), (33, 28), (28, 50), (34, 74), (50, 85), (66, 74), (72, 50), (50, 15)]],
    "1": [[(52, 14), (50, 50), (48, 86)]],
    "2": [[(30, 30), (38, 18), (52, 14), (66, 20), (69, 34), (44, 70), (29, 84), (73, 84)]],
    "3": [[(32, 20), (48, 14), (66, 26), (45, 48), (69, 66), (46, 86), (30, 80)]],
    "4": [[(34, 16), (30, 38), (28, 54), (50, 55), (72, 52)], [(66, 16), (63, 50), (60, 86)]],
    "5": [[(36, 18), (33, 46), (48, 42), (67, 64), (58, 80), (30, 82)], [(36, 17), (68, 15)]],
    "6": [[(60, 14), (44, 28), (32, 66), (40, 82), (54, 85), (65, 70), (52, 55), (38, 62)]],
    "7": [[(28, 20), (50, 19), (70, 17), (61, 40), (52, 62), (46, 86)]],
    "8": [[(62, 22), (48, 15), (36, 26), (58, 54), (65, 70), (50, 85), (34, 70), (62, 22)]],
    "9": [[(64, 28), (50, 16), (36, 24), (36, 40), (48, 46), (65, 26), (64, 50), (60, 86)]],
}  # fmt: skip
PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def address() -> Iterator[str]:
    """Start the demo on a free port."""
    if not (ROOT / "models/long").exists():
        pytest.skip("no models: run make repro first")
    command = [sys.executable, "-m", "extras.handwriting.demo", "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        yield server.stdout.readline().split()[0]
        server.terminate()


@pytest.fixture
def page(browser: Browser, address: str, request: pytest.FixtureRequest) -> Iterator[Page]:
    """Open the page; whatever the browser complains of, or asks of other servers, is a failure."""
    context = browser.new_context(**getattr(request, "param", {}))
    page, complaints, urls = context.new_page(), [], []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text))
    page.on("request", lambda request: urls.append(request.url))
    page.goto(address)
    expect(page.locator(".examples li")).to_have_count(10)
    yield page
    context.close()
    # A picture refused is part of the interface; Chromium notes it as an error all the same.
    assert [text for text in complaints if "status of 422" not in text] == []
    assert [url for url in urls if not url.startswith((address, "data:", "blob:"))] == []


def draw(page: Page, digit: str, left: float = 0, scale: float = 1) -> None:
    """Draw a digit with the mouse; `left` and `scale` are fractions of the paper's side."""
    box = page.locator("#paper").bounding_box()
    assert box
    for stroke in STROKES[digit]:
        last = len(stroke) - 1
        curve = make_interp_spline(range(last + 1), stroke, k=min(2, last))
        for number, (x, y) in enumerate(curve(np.linspace(0, last, 8 * last))):
            page.mouse.move(
                box["x"] + (left + x / 100 * scale) * box["width"],
                box["y"] + (0.5 + (y / 100 - 0.5) * scale) * box["height"],
            )
            if number == 0:
                page.mouse.down()
        page.mouse.up()


@pytest.mark.parametrize("digit", list(STROKES))
def test_digit_drawn_with_the_mouse_is_read_by_both_runs(page: Page, digit: str) -> None:
    draw(page, digit)
    for run in ("long", "short"):
        page.locator("#run").select_option(run)
        page.wait_for_function("!asking && !again")
        expect(page.locator("#digits")).to_have_text(digit)
        expect(page.locator(".bars .best .name")).to_have_text(digit)
        probability = page.locator(".bars .best .share").inner_text()
        expect(page.locator("#sure")).to_have_text(f"Probability {probability}")


def test_two_digits_are_read_from_left_to_right(page: Page) -> None:
    draw(page, "4", left=0, scale=0.5)
    draw(page, "2", left=0.5, scale=0.5)
    expect(page.locator("#digits")).to_have_text("42")


def test_undo_takes_the_last_stroke_away_and_clear_everything(page: Page) -> None:
    draw(page, "1")
    draw(page, "7", left=0.5, scale=0.5)
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#digits")).to_have_text("1")
    page.get_by_role("button", name="Clear").click()
    expect(page.locator("#sure")).to_have_text("Nothing yet")
    expect(page.get_by_role("button", name="Undo")).to_be_disabled()


def test_example_is_read_with_its_label(page: Page) -> None:
    page.get_by_role("button", name="Test image 0").press("Enter")
    expect(page.locator("#digits")).to_have_text("7")
    expect(page.locator("#note")).to_have_text("✓ Correct: the label is 7.")
    page.get_by_role("button", name="Ten more").click()
    expect(page.get_by_role("button", name="Test image 10")).to_be_visible()


def test_picture_is_read(page: Page) -> None:
    picture = Image.new("RGB", (300, 200), "navy")
    ImageDraw.Draw(picture).ellipse((115, 40, 175, 140), outline="yellow", width=12)
    file = BytesIO()
    picture.save(file, "PNG")
    choice: FilePayload = {"name": "zero.png", "mimeType": "image/png", "buffer": file.getvalue()}
    page.locator("#file").set_input_files(choice)
    expect(page.locator("#digits")).to_have_text("0")


def test_refused_picture_is_explained_and_the_page_goes_on(page: Page) -> None:
    file: FilePayload = {"name": "a.png", "mimeType": "image/png", "buffer": b"no picture"}
    page.locator("#file").set_input_files(file)
    expect(page.locator("#sure")).to_contain_text("not a picture in a known format")
    expect(page.locator("#digits")).to_have_text("?")
    draw(page, "3")
    expect(page.locator("#digits")).to_have_text("3")


@pytest.mark.parametrize("page", [PHONE], indirect=True)
def test_page_fits_a_phone(page: Page) -> None:
    draw(page, "3")
    expect(page.locator("#digits")).to_have_text("3")
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    expect(page.locator("#sure")).to_be_in_viewport(ratio=1)
