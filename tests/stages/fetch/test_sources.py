"""Sources, and the ways in which one can fail."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pooch
import pytest

from common.atomic import sha256
from stages.fetch import sources
from stages.fetch.sources import SourceError
from tests.fixtures import RAW_FILES, Response, Server, dataset

NAME, *_ = RAW_FILES
CONTENT = RAW_FILES[NAME]

pytestmark = pytest.mark.usefixtures("short_timeouts")


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try again at once, not after a second."""
    monkeypatch.setattr(pooch.core, "time", SimpleNamespace(sleep=lambda _: None))


def _read(source: dict[str, object] | str) -> dict[str, bytes]:
    spec = dataset(source)
    files = sources.read_files(spec.sources[0], list(RAW_FILES))
    return {name: sources.uncompress(raw, name) for name, raw in files}


def _tar(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"folder/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def _zip(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(f"folder/{name}", content)
    return buffer.getvalue()


def _archive(server: Server, content: bytes) -> dict[str, object]:
    server.files["/data/all"] = content
    return {
        "archive": f"{server.url}/data/all",
        "sha256": sha256(content),
        "member": "folder/{file}",
    }


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_one_url_per_file(server: Server, suffix: str) -> None:
    """Each file is requested once, compressed or not."""
    assert _read(f"{server.url}/data/{{file}}{suffix}") == RAW_FILES
    assert server.requests == [f"/data/{name}{suffix}" for name in RAW_FILES]


def test_other_names(server: Server) -> None:
    """A source may have another name for a file."""
    server.files["/data/train.images"] = server.files.pop(f"/data/{NAME}")
    source = {"url": f"{server.url}/data/{{file}}", "names": {NAME: "train.images"}}
    assert _read(source) == RAW_FILES


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_a_path(compress: Callable[[bytes], bytes], tmp_path: Path) -> None:
    """Files may lie in a folder, whose name may have a space."""
    folder = tmp_path / "a b"
    folder.mkdir()
    for name, content in RAW_FILES.items():
        (folder / name).write_bytes(compress(content))
    assert _read(f"{folder}/{{file}}") == RAW_FILES


@pytest.mark.parametrize("pack", [_tar, _zip])
def test_an_archive(server: Server, pack: Callable[[dict[str, bytes]], bytes]) -> None:
    """All files may be in one archive, which is requested once."""
    assert _read(_archive(server, pack(RAW_FILES))) == RAW_FILES
    assert server.requests == ["/data/all"]


def test_an_archive_on_the_package_index(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The archive is found on the index that pip is configured for."""
    content = _tar(RAW_FILES)
    server.files["/files/data-1.0.tar.gz"] = content
    page = {
        "meta": {"api-version": "1.0"},
        "name": "data",
        "files": [
            {
                "filename": "data-1.0.tar.gz",
                "url": f"{server.url}/files/data-1.0.tar.gz",
                "hashes": {},
            }
        ],
    }
    server.answers["/simple/data/"] = [
        Response(
            body=json.dumps(page).encode(),
            headers={"Content-Type": "application/vnd.pypi.simple.v1+json"},
        )
    ]
    monkeypatch.setenv("PIP_INDEX_URL", f"{server.url}/simple/")
    source = {
        "package": "data",
        "archive": "data-1.0.tar.gz",
        "sha256": sha256(content),
        "member": "folder/{file}",
    }
    assert _read(source) == RAW_FILES
    with pytest.raises(SourceError, match=r"^data has no file data-2.0.tar.gz$"):
        _read(source | {"archive": "data-2.0.tar.gz"})
    with pytest.raises(SourceError, match=r"^no project nothing$"):
        _read(source | {"package": "nothing"})


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (Response(404), "the server answered 404 Not Found"),
        (Response(503), "the server answered 503 Service Unavailable"),
        (Response(reset=True), "onnection"),
        (Response(body=CONTENT, cut=100), "IncompleteRead"),
        (Response(body=CONTENT, stall=100), "timed out"),
        (Response(body=b"\x1f\x8bno gzip"), "a damaged gzip file"),
        (Response(body=gzip.compress(CONTENT)[:-9]), "a damaged gzip file"),
        (Response(302, headers={"Location": "http://example.org/"}), "neither HTTPS nor on"),
        (Response(302, headers={"Location": "file:///etc/passwd"}), "neither HTTPS nor on"),
        (Response(302, headers={"Location": f"/data/{NAME}"}), "Exceeded 30 redirects"),
    ],
)
def test_a_server_that_fails(server: Server, response: Response, reason: str) -> None:
    """The error is one short line that names the file and the reason, without the URL."""
    server.answers[f"/data/{NAME}"] = [response]
    with pytest.raises(SourceError) as raised:
        _read(f"{server.url}/data/{{file}}")
    message = str(raised.value)
    assert message.startswith(f"{NAME}: ")
    assert reason in message
    assert server.url not in message
    assert len(message) < 250


@pytest.mark.parametrize("response", [Response(503), Response(body=CONTENT, cut=100)])
def test_a_second_attempt(server: Server, response: Response) -> None:
    """A temporary failure does no harm."""
    server.answers[f"/data/{NAME}"] = [response, None]
    assert _read(f"{server.url}/data/{{file}}") == RAW_FILES


def test_an_archive_that_is_wrong(server: Server) -> None:
    """The error says whether the archive, its format or a member is wrong."""
    source = _archive(server, _tar(RAW_FILES))
    with pytest.raises(SourceError, match=r"SHA-256 should be 0{64}, is"):
        _read(source | {"sha256": "0" * 64})
    with pytest.raises(SourceError, match="has no member elsewhere/"):
        _read(source | {"member": "elsewhere/{file}"})
    with pytest.raises(SourceError, match="not a readable archive"):
        _read(_archive(server, b"neither zip nor tar"))
    with pytest.raises(SourceError, match="No such file or directory"):
        _read(source | {"archive": "nowhere.zip"})
