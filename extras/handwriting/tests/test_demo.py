import base64
import os
import re
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

from common.splits import load_split
from tests.workspace import ROOT

TIMEOUT = 60


def start(folder: Path, port: int = 0) -> subprocess.Popen[str]:
    """Start the demo as a person does."""
    command = [sys.executable, "-m", "extras.handwriting.demo", "--port", str(port)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def address_of(server: subprocess.Popen[str]) -> str:
    """Wait for the line that says where the page is."""
    assert server.stdout
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
    for left in range(0, 100 * digits, 100):
        ImageDraw.Draw(sheet).line([(left + 50, 15), (left + 45, 85)], 0, 8)
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
    ("path", "problem"),
    [
        ("predictions/12?run=long", "no test image 12, there are 12"),
        ("predictions/1?run=none", "no run 'none', there are: long, short"),
    ],
)
def test_wrong_question_is_answered_in_one_line(address: str, path: str, problem: str) -> None:
    answer = get(f"{address}/{path}")
    assert (answer.status_code, answer.text) == (404, problem)


def test_a_foreign_host_name_is_refused(address: str) -> None:
    assert get(address, "evil.example").status_code == 400
    assert get(address, "127.0.0.1").status_code == 200


def test_page_names_dataset_and_runs_and_asks_no_other_server(address: str) -> None:
    page = get(address).text
    assert "<h1>Draw a digit</h1>" in page
    assert "trained on MNIST handwritten digits" in page
    assert re.findall(r">(\w+: [\d,]+ iterations), \d+\.\d\d%<", page) == [
        "long: 10,000 iterations",
        "short: 1,000 iterations",
    ]
    assert re.findall(r'(?:src|href)="(?!data:)[^"]*"', page) == []


def test_port_that_is_taken_is_reported(untrained_project: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with start(untrained_project, port) as server:
            out, err = server.communicate(timeout=TIMEOUT)
    problem = f"port {port}: Address already in use; try `make demo DEMO_PORT={port + 1}`"
    assert (server.returncode, out, err) == (1, "", f"error: {problem}\n")


def test_impossible_port_is_reported(untrained_project: Path) -> None:
    with start(untrained_project, 70_000) as server:
        out, err = server.communicate(timeout=TIMEOUT)
    assert (server.returncode, out) == (2, "")
    assert "--port: should be from 0 to 65535" in err


def test_ctrl_c_ends_it(untrained_project: Path) -> None:
    with start(untrained_project) as server:
        assert get(address_of(server)).ok
        server.send_signal(signal.SIGINT)
        out, err = server.communicate(timeout=TIMEOUT)
    assert (server.returncode, out, err) == (0, "ended\n", "")
