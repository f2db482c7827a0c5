from __future__ import annotations

import base64
import hashlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import requests
from PIL import Image, ImageDraw

from common.arrays import load_weights, save_arrays
from common.inference import accuracy
from common.splits import Description, Split, load_split, save_description, save_split
from extras.handwriting import demo
from extras.handwriting.predictor import Predictor

ROOT = Path(__file__).parents[3]
TIMEOUT = 20


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a project with networks that have learnt nothing, and a dozen test images."""
    folder = tmp_path_factory.mktemp("project")
    for name in ("params.yaml", "datasets.yaml"):
        shutil.copy(ROOT / name, folder)
    random = np.random.default_rng(1)
    for run in ("short", "long"):
        weights = {"W1": random.normal(0, 1, (784, 10)), "b1": np.zeros(10)}
        path = folder / f"models/{run}/weights.npz"
        save_arrays(path, {name: array.astype(np.float32) for name, array in weights.items()})
    images = random.integers(0, 256, (12, 784)).astype(np.uint8)
    labels = random.integers(0, 10, 12).astype(np.uint8)
    save_split(folder / "data/flat/test.npz", Split(images, labels), "images")
    description = Description(
        classes=tuple("0123456789"),
        example_shape=(28, 28),
        feature_shape=(784,),
        feature_dtype="uint8",
        examples={"train": 1, "validation": 1, "test": 12},
    )
    save_description(folder / "data/flat/description.json", description)
    return folder


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start the demo as a person does."""
    return subprocess.Popen(
        [sys.executable, "-m", "extras.handwriting.demo", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def address_of(server: subprocess.Popen[str]) -> str:
    """Wait for the line that says where the page is."""
    assert server.stdout is not None
    line = server.stdout.readline()
    found = re.fullmatch(r"(http://127\.0\.0\.1:\d+)/ is the page; Ctrl\+C ends it\n", line)
    assert found, line
    return found[1]


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    """Serve the page on a free port."""
    with start(folder, "--port", "0") as server:
        yield address_of(server)
        server.terminate()


def picture(digits: int = 1) -> bytes:
    """Give a PNG file of a row of strokes."""
    sheet = Image.new("L", (100 * digits, 100), 255)
    for place in range(digits):
        ImageDraw.Draw(sheet).line([(100 * place + 50, 15), (100 * place + 45, 85)], 0, 8)
    file = BytesIO()
    sheet.save(file, "PNG")
    return file.getvalue()


def read(address: str, body: bytes | Iterator[bytes], run: str = "long") -> requests.Response:
    """Have a picture read."""
    return requests.post(f"{address}/predictions?run={run}", data=body, timeout=TIMEOUT)


def test_picture_is_read(address: str) -> None:
    """Each digit comes with the pixels that the network saw and ten probabilities."""
    answer = read(address, picture(digits=2)).json()
    assert 2 == len(answer["images"]) == len(answer["digits"])
    for image, digit in zip(answer["images"], answer["digits"], strict=True):
        assert len(base64.b64decode(image["pixels"])) == 784
        assert pytest.approx(sum(image["probabilities"])) == 1
        assert int(digit) == np.argmax(image["probabilities"])
    least = min(max(image["probabilities"]) for image in answer["images"])
    assert least == answer["probability"]


def test_runs_answer_each_for_itself(address: str, folder: Path) -> None:
    """The page can switch between all runs of params.yaml."""
    runs = requests.get(f"{address}/runs", timeout=TIMEOUT).json()["runs"]
    assert [run["name"] for run in runs] == ["short", "long"]
    assert [run["iterations"] for run in runs] == [1000, 10000]
    test = load_split(folder / "data/flat/test.npz")
    for run in runs:
        weights = load_weights(folder / f"models/{run['name']}/weights.npz")
        assert run["test"] == accuracy(weights, test.features, test.labels)
    short, long = (read(address, picture(), run["name"]).json() for run in runs)
    assert short["images"][0]["pixels"] == long["images"][0]["pixels"]
    assert short["images"][0]["probabilities"] != long["images"][0]["probabilities"]


def test_examples_go_round(address: str, folder: Path) -> None:
    """Ten at a time, as they are in the test set, and from the beginning again at its end."""
    asked = requests.get(f"{address}/examples?start=10", timeout=TIMEOUT).json()["examples"]
    assert [example["number"] for example in asked] == [10, 11, 0, 1, 2, 3, 4, 5, 6, 7]
    test = load_split(folder / "data/flat/test.npz")
    assert test.features[10].tobytes() == base64.b64decode(asked[0]["pixels"])
    answer = requests.get(f"{address}/examples/10?run=long", timeout=TIMEOUT).json()
    assert str(test.labels[10]) == answer["label"]
    assert asked[0]["pixels"] == answer["images"][0]["pixels"]


@pytest.mark.parametrize(
    ("path", "status", "problem"),
    [
        ("/examples/12?run=long", 404, "no test image 12, there are 12"),
        ("/examples/1?run=none", 404, "no run 'none', there are: short, long"),
        ("/examples?start=-1", 400, "start should be a number"),
        ("/examples?start=" + "9" * 99, 400, "start should be a number"),
        ("/predictions?run=long", 405, "Method Not Allowed"),
        ("/elsewhere", 404, "Not Found"),
    ],
)
def test_wrong_question_is_answered_in_one_line(
    address: str, path: str, status: int, problem: str
) -> None:
    """Whatever is asked, there is an answer that says what is wrong."""
    answer = requests.get(address + path, timeout=TIMEOUT)
    assert (status, {"error": problem}) == (answer.status_code, answer.json())


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"", "not a picture in a known format"),
        (b"\0" * 1000, "not a picture in a known format"),
        (b"GIF89a" + b"\xff" * 1000, ""),
        (picture()[:100], "damaged"),
    ],
)
def test_garbage_is_refused_in_one_line(address: str, body: bytes, problem: str) -> None:
    """What is no picture is said to be none, and the next is read."""
    answer = read(address, body)
    assert answer.status_code == 422
    assert answer.json()["error"].startswith(problem)
    assert "\n" not in answer.json()["error"]
    assert read(address, picture()).status_code == 200


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_large_body_is_refused(address: str, *, chunked: bool) -> None:
    """More than 20 MB is not taken, whether it says so before or not."""
    body = b"\0" * (demo.MAX_BODY_BYTES + 1)
    pieces = (body[i : i + 1_000_000] for i in range(0, len(body), 1_000_000))
    answer = read(address, pieces if chunked else body)
    assert (answer.status_code, answer.json()) == (413, {"error": "more than the 20 MB allowed"})


@pytest.mark.parametrize("path", ["/", "/runs", "/examples"])
def test_other_host_names_are_refused(address: str, path: str) -> None:
    """A page elsewhere cannot give itself this machine's address and read along."""
    answer = requests.get(address + path, headers={"Host": "evil.example"}, timeout=TIMEOUT)
    assert answer.status_code == 400
    for host in ("localhost:1234", "127.0.0.1"):
        answer = requests.get(address + path, headers={"Host": host}, timeout=TIMEOUT)
        assert answer.status_code == 200


@pytest.mark.parametrize("path", ["/", "/runs", "/elsewhere"])
def test_every_answer_has_security_headers(address: str, path: str) -> None:
    """Nothing from elsewhere runs in the page, and nothing elsewhere can embed it."""
    headers = requests.get(address + path, timeout=TIMEOUT).headers
    policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "server" not in {name.lower() for name in headers}


def test_policy_allows_the_page_its_own_script(address: str) -> None:
    """The digests in the policy are those of the script and the style as they are served."""
    answer = requests.get(address, timeout=TIMEOUT)
    for tag in ("script", "style"):
        (content,) = re.findall(f"<{tag}>(.*?)</{tag}>", answer.text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in answer.headers["Content-Security-Policy"]
    assert re.findall(r'(?:src|href)="(?!data:)[^"]*"', answer.text) == []


def test_page_names_the_dataset(address: str) -> None:
    """The heading speaks of digits because its classes are digits, and no placeholder is left."""
    page = requests.get(address, timeout=TIMEOUT).text
    assert "<h1>Draw a digit</h1>" in page
    assert "trained on MNIST handwritten digits" in page
    assert "{{" not in page


def test_page_speaks_of_digits_only_where_there_are_any() -> None:
    """The page of another dataset has its title, in which HTML is text."""
    dataset = SimpleNamespace(title="Shirts <b>")
    shirts = Predictor({}, ("shirt", "boot"))
    page = demo.fill_page(
        "{{ heading }}: {{ dataset }}", SimpleNamespace(dataset=dataset), {"a": shirts}
    )
    assert page == "Draw or upload an image: Shirts &lt;b&gt;"


def test_port_that_is_taken_is_said(folder: Path) -> None:
    """A port that was asked for is not silently another."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with start(folder, "--port", str(port)) as server:
            out, err = server.communicate(timeout=TIMEOUT)
    assert (server.returncode, out) == (1, "")
    assert f"error: port {port} is not free; choose another with --port, or 0 for any\n" == err


def test_next_port_is_taken_where_none_was_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two demos can run beside each other."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setattr(demo, "PORT", port)
        with demo.listen(None) as opened:
            assert port < opened.getsockname()[1] <= port + demo.PORTS_TO_TRY
            assert opened.getsockname()[0] == "127.0.0.1"


def test_interrupt_is_the_way_to_end(folder: Path) -> None:
    """Ctrl+C ends the demo, and that is no error."""
    with start(folder, "--port", "0") as server:
        assert requests.get(address_of(server), timeout=TIMEOUT).ok
        server.send_signal(signal.SIGINT)
        out, err = server.communicate(timeout=TIMEOUT)
    assert (server.returncode, out, err) == (0, "ended\n", "")


def test_missing_weights_are_said_before_anything_is_served(tmp_path: Path, folder: Path) -> None:
    """There is no page without a network to answer."""
    for name in ("params.yaml", "datasets.yaml"):
        shutil.copy(folder / name, tmp_path)
    with start(tmp_path, "--port", "0") as server:
        out, err = server.communicate(timeout=TIMEOUT)
    assert (server.returncode, out) == (2, "")
    assert err == "error: models/short/weights.npz: not found; `dvc repro` makes it\n"
