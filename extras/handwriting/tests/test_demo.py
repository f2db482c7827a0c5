import base64
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

import numpy as np
import pytest
import requests
from PIL import Image, ImageDraw

from common.config import load_config
from common.model import Model
from common.splits import load_split
from extras.handwriting import demo
from tests.workspace import ROOT

TIMEOUT = 60


def start(folder: Path, port: int | str = 0) -> subprocess.Popen[str]:
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


def post(address: str, body: bytes, run: str = "long") -> requests.Response:
    """Send a picture."""
    return requests.post(f"{address}/predictions?run={run}", data=body, timeout=TIMEOUT)


def test_each_digit_comes_with_its_pixels_and_probabilities(address: str) -> None:
    answer = post(address, picture(digits=2)).json()
    assert len(answer["images"]) == len(answer["digits"]) == 2
    for image, digit in zip(answer["images"], answer["digits"], strict=True):
        assert len(base64.b64decode(image["pixels"])) == 784
        assert sum(image["probabilities"]) == pytest.approx(1)
        assert np.argmax(image["probabilities"]) == int(digit)
    least = min(max(image["probabilities"]) for image in answer["images"])
    assert answer["probability"] == least


def test_each_run_predicts_with_its_own_model(address: str) -> None:
    short, long = (post(address, picture(), run).json()["images"][0] for run in ("short", "long"))
    assert short["pixels"] == long["pixels"]
    assert short["probabilities"] != long["probabilities"]


def test_examples_start_again_at_the_end_of_the_test_set(
    address: str, untrained_project: Path
) -> None:
    examples = get(f"{address}/examples/10").json()
    assert [example["number"] for example in examples] == [10, 11, 0, 1, 2, 3, 4, 5, 6, 7]
    test = load_split(untrained_project / "data/flat/test.npz")
    assert base64.b64decode(examples[0]["pixels"]) == test.features[10].tobytes()
    answer = get(f"{address}/predictions/10?run=long").json()
    assert answer["label"] == str(test.labels[10])
    assert answer["images"][0]["pixels"] == examples[0]["pixels"]


@pytest.mark.parametrize(
    ("path", "status", "problem"),
    [
        ("/predictions/12?run=long", 404, "no test image 12, there are 12"),
        ("/predictions/1?run=none", 404, "no run 'none', there are: long, short"),
        ("/predictions?run=long", 405, "Method Not Allowed"),
        ("/examples/-1", 404, "Not Found"),
    ],
)
def test_wrong_question_is_answered_in_one_line(
    address: str, path: str, status: int, problem: str
) -> None:
    answer = get(address + path)
    assert (answer.status_code, answer.text) == (status, problem)


def test_garbage_is_refused_and_the_next_picture_is_read(address: str) -> None:
    answer = post(address, b"GIF89a" + b"\xff" * 1000)
    assert answer.status_code == 422
    assert "\n" not in answer.text
    assert post(address, picture()).status_code == 200


@pytest.mark.parametrize("path", ["/", "/examples/0"])
def test_a_foreign_host_name_is_refused(address: str, path: str) -> None:
    assert get(address + path, "evil.example").status_code == 400
    assert get(address + path, "127.0.0.1").status_code == 200


def test_page_names_dataset_and_runs_and_asks_no_other_server(
    address: str, untrained_project: Path
) -> None:
    page = get(address).text
    assert "<h1>Draw a digit</h1>" in page
    assert "trained on MNIST handwritten digits" in page
    assert re.findall(r'(?:src|href)="(?!data:)[^"]*"', page) == []
    test = load_split(untrained_project / "data/flat/test.npz")
    for run, iterations in (("short", "1,000"), ("long", "10,000")):
        model = Model.load(untrained_project / f"models/{run}")
        correct = model.probabilities(test.features).argmax(axis=1) == test.labels
        assert f">{run}: {iterations} iterations, {correct.mean():.2%}<" in page


def test_page_of_other_classes_does_not_speak_of_digits(
    untrained_project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(untrained_project, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    description = Path("data/flat/description.json")
    description.write_text(description.read_text().replace('"0"', '"</script>"'))
    page = demo.load_demo(load_config()).page
    assert "<h1>Draw or choose a picture</h1>" in page
    assert page.count("</script>") == 1


@pytest.mark.parametrize(
    ("port", "status", "problem"),
    [("70000", 2, "should be from 0 to 65535"), ("x", 2, "invalid int value: 'x'")],
)
def test_impossible_port_is_reported(
    untrained_project: Path, port: str, status: int, problem: str
) -> None:
    with start(untrained_project, port) as server:
        out, err = server.communicate(timeout=TIMEOUT)
    assert (server.returncode, out) == (status, "")
    assert problem in err


def test_port_that_is_taken_is_reported(untrained_project: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with start(untrained_project, port) as server:
            out, err = server.communicate(timeout=TIMEOUT)
    assert (server.returncode, out) == (1, "")
    assert err == (
        f"error: port {port}: Address already in use; try `make demo DEMO_PORT={port + 1}`\n"
    )


def test_ctrl_c_ends_it(untrained_project: Path) -> None:
    with start(untrained_project) as server:
        assert get(address_of(server)).ok
        server.send_signal(signal.SIGINT)
        out, err = server.communicate(timeout=TIMEOUT)
    assert (server.returncode, out, err) == (0, "ended\n", "")
