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
from common.inference import accuracy
from PIL import Image, ImageDraw

from common.arrays import load_arrays
from common.splits import load_split
from extras.handwriting import demo
from extras.handwriting.predictor import Predictor
from tests.workspace import ROOT

TIMEOUT = 60


def start(folder: Path, port: int = 0) -> subprocess.Popen[str]:
    """Start the demo as a person does."""
    return subprocess.Popen(
        [sys.executable, "-m", "extras.handwriting.demo", "--port", str(port)],
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
    match = re.fullmatch(r"(http://127\.0\.0\.1:\d+)/ is the page; Ctrl\+C ends it\n", line)
    assert match, line
    return match[1]


@pytest.fixture(scope="module")
def address(untrained_project: Path) -> Iterator[str]:
    """Serve the page on a free port."""
    with start(untrained_project) as server:
        yield address_of(server)
        server.terminate()


def get(address: str, host: str = "localhost:1234") -> requests.Response:
    """Ask the demo, by a name of this machine."""
    return requests.get(address, headers={"Host": host}, timeout=TIMEOUT)


def picture(digits: int = 1) -> bytes:
    """Return a PNG file of a row of strokes."""
    sheet = Image.new("L", (100 * digits, 100), 255)
    for place in range(digits):
        ImageDraw.Draw(sheet).line([(100 * place + 50, 15), (100 * place + 45, 85)], 0, 8)
    file = BytesIO()
    sheet.save(file, "PNG")
    return file.getvalue()


def read(address: str, body: bytes | Iterator[bytes], run: str = "long") -> requests.Response:
    """Send a picture."""
    return requests.post(f"{address}/predictions?run={run}", data=body, timeout=TIMEOUT)


def test_picture_is_read(address: str) -> None:
    """Each digit comes with the pixels that the network saw and ten probabilities."""
    answer = read(address, picture(digits=2)).json()
    assert len(answer["images"]) == len(answer["digits"]) == 2
    for image, digit in zip(answer["images"], answer["digits"], strict=True):
        assert len(base64.b64decode(image["pixels"])) == 784
        assert sum(image["probabilities"]) == pytest.approx(1)
        assert int(digit) == np.argmax(image["probabilities"])
    least = min(max(image["probabilities"]) for image in answer["images"])
    assert answer["probability"] == least


def test_runs_answer_each_for_itself(address: str, untrained_project: Path) -> None:
    """The page can switch between all runs of params.yaml."""
    runs = get(f"{address}/runs").json()["runs"]
    assert [(run["name"], run["iterations"]) for run in runs] == [("short", 1000), ("long", 10000)]
    test = load_split(untrained_project / "data/flat/test.npz")
    for run in runs:
        weights = load_arrays(untrained_project / f"models/{run['name']}/weights.npz")
        assert run["test"] == accuracy(weights, test.features, test.labels)
    short, long = (read(address, picture(), run["name"]).json()["images"][0] for run in runs)
    assert short["pixels"] == long["pixels"]
    assert short["probabilities"] != long["probabilities"]


def test_examples_go_round(address: str, untrained_project: Path) -> None:
    """Ten at a time, as they are in the test set, and from the beginning again at its end."""
    examples = get(f"{address}/examples?start=10").json()["examples"]
    assert [example["number"] for example in examples] == [10, 11, 0, 1, 2, 3, 4, 5, 6, 7]
    test = load_split(untrained_project / "data/flat/test.npz")
    assert base64.b64decode(examples[0]["pixels"]) == test.features[10].tobytes()
    answer = get(f"{address}/examples/10?run=long").json()
    assert answer["label"] == str(test.labels[10])
    assert answer["images"][0]["pixels"] == examples[0]["pixels"]


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
    answer = get(address + path)
    assert (answer.status_code, answer.json()) == (status, {"error": problem})


def test_garbage_is_refused_in_one_line(address: str) -> None:
    """What is no picture is said to be none, and the next is read."""
    answer = read(address, b"GIF89a" + b"\xff" * 1000)
    assert answer.status_code == 422
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
    assert get(address + path, "evil.example").status_code == 400
    assert get(address + path, "127.0.0.1").status_code == 200


@pytest.mark.parametrize("path", ["/", "/runs", "/elsewhere"])
def test_every_answer_has_security_headers(address: str, path: str) -> None:
    """Nothing from elsewhere runs in the page, and nothing elsewhere can embed it."""
    headers = get(address + path).headers
    policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "server" not in {name.lower() for name in headers}


def test_policy_allows_the_page_its_own_script(address: str) -> None:
    """The digests in the policy are those of the script and the style as they are served."""
    answer = get(address)
    for tag in ("script", "style"):
        (content,) = re.findall(f"<{tag}>(.*?)</{tag}>", answer.text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in answer.headers["Content-Security-Policy"]
    assert re.findall(r'(?:src|href)="(?!data:)[^"]*"', answer.text) == []


def test_page_names_the_dataset(address: str) -> None:
    """The heading speaks of digits only if the classes are digits; HTML in a title is text."""
    page = get(address).text
    assert "<h1>Draw a digit</h1>" in page
    assert "trained on MNIST handwritten digits" in page
    assert "{{" not in page
    config = SimpleNamespace(dataset=SimpleNamespace(title="Shirts <b>"))
    shirts = {"a": Predictor({}, ("shirt", "boot"))}
    page = demo.fill_page("{{ heading }}: {{ dataset }}", config, shirts)
    assert page == "Draw or upload an image: Shirts &lt;b&gt;"


def test_port_that_is_taken_is_reported(
    untrained_project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A port that was asked for is not silently another; otherwise the next one is taken."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with start(untrained_project, port) as server:
            out, err = server.communicate(timeout=TIMEOUT)
        assert (server.returncode, out) == (1, "")
        assert err == f"error: port {port} is not free; choose another with --port, or 0 for any\n"
        monkeypatch.setattr(demo, "PORT", port)
        with demo.listen(None) as opened:
            host, next_port = opened.getsockname()
        assert host == "127.0.0.1"
        assert port < next_port < port + demo.PORTS_TO_TRY


def test_ctrl_c_ends_it(untrained_project: Path) -> None:
    """Ctrl+C ends the demo, and that is no error."""
    with start(untrained_project) as server:
        assert get(address_of(server)).ok
        server.send_signal(signal.SIGINT)
        out, err = server.communicate(timeout=TIMEOUT)
    assert (server.returncode, out, err) == (0, "ended\n", "")


def test_missing_weights_are_reported_before_anything_is_served(
    untrained_project: Path, tmp_path: Path
) -> None:
    """There is no page without a network to answer."""
    for name in ("params.yaml", "datasets.yaml"):
        shutil.copy(untrained_project / name, tmp_path)
    with start(tmp_path) as server:
        out, err = server.communicate(timeout=TIMEOUT)
    assert (server.returncode, out) == (2, "")
    assert err == "error: models/short/weights.npz: not found; `dvc repro` makes it\n"
