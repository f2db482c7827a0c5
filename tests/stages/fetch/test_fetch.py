"""The fetch stage: its kinds of sources, and the ways in which one can fail."""

import gzip
import hashlib
import json
import os
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stages.fetch import sources
from tests.workspace import RAW_FILES, CompletedRun, Response, Server, Workspace, entry

NAME, *_, LAST = RAW_FILES
CONTENT = RAW_FILES[NAME]
TEXT = b"neither zip nor tar"
MAKE_CERTIFICATE = (
    *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1"),
    *("-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "key.pem", "-out", "certificate.pem"),
)
PACKAGE_INDEX = {"Content-Type": "application/vnd.pypi.simple.v1+json"}


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture(autouse=True)
def _no_long_waits(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(sources, "TIMEOUT_SECONDS", (5.0, 1.0))
    sources._pip.cache_clear()
    yield
    sources._pip.cache_clear()


def fetch(workspace: Workspace, *places: dict[str, Any] | str) -> CompletedRun:
    """Run the stage with these sources."""
    workspace.datasets["synthetic"] = entry(*places)
    return workspace.run("fetch", "raw")


def content() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path("raw").glob("*")}


def _archive(workspace: Workspace, server: Server, kind: str) -> dict[str, Any]:
    """Serve an archive with all files in a folder."""
    workspace.put("packed/folder", RAW_FILES)
    packed = Path(shutil.make_archive("all", kind, "packed", "folder")).read_bytes()
    server.files["/data/all"] = packed
    place = {"archive": f"{server.url}/data/all", "sha256": sha256(packed)}
    return place | {"member": "folder/{file}"}


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_each_file_is_requested_once(workspace: Workspace, server: Server, suffix: str) -> None:
    """Compressed or not, by the name that the source has for it."""
    server.files["/data/other"] = server.files.pop(f"/data/{NAME}")
    source = {"url": f"{server.url}/data/{{file}}{suffix}", "names": {NAME: "other"}}
    assert fetch(workspace, source).out.splitlines() == [
        *(
            f"{name}: {len(raw):,} bytes from {server.url}/data/*{suffix}"
            for name, raw in RAW_FILES.items()
        ),
        "raw: complete; the SHA-256 of each file is correct",
    ]
    assert content() == RAW_FILES
    names = ["other", *list(RAW_FILES)[1:]]
    assert server.requests == [f"/data/{name}{suffix}" for name in names]


def test_files_may_lie_in_a_folder(workspace: Workspace) -> None:
    workspace.put("a b", RAW_FILES | {NAME: gzip.compress(CONTENT)})
    assert fetch(workspace, "a b/{file}").status == 0
    assert content() == RAW_FILES


@pytest.mark.parametrize("kind", ["zip", "gztar"])
def test_an_archive_is_requested_once(workspace: Workspace, server: Server, kind: str) -> None:
    assert fetch(workspace, _archive(workspace, server, kind)).status == 0
    assert content() == RAW_FILES
    assert server.requests == ["/data/all"]


def test_an_archive_is_found_on_the_package_index(
    workspace: Workspace, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The index is the one in pip's configuration file; the last source is the right one."""
    monkeypatch.delenv("PIP_INDEX_URL", raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "pip.conf")
    settings = f"[global]\ntimeout = 9\nindex-url = {server.url}/simple/\n"
    workspace.put(".", {"pip.conf": settings.encode()})
    name = "data-1.0.tar.gz"
    file = {"filename": name, "url": f"{server.url}/data/all", "hashes": {}}
    page = {"meta": {"api-version": "1.0"}, "name": "data", "files": [file]}
    server.answers["/simple/data/"] = Response(200, json.dumps(page).encode(), PACKAGE_INDEX)
    server.answers["/simple/stalled/"] = Response(body=b"{}", stall=1)
    source = _archive(workspace, server, "gztar") | {"package": "data", "archive": name}
    completed = fetch(
        workspace,
        source | {"package": "nothing"},
        source | {"package": "stalled"},
        source | {"archive": "data-2.0.zip"},
        source,
    )
    missing, stalled, other, *_ = completed.out.splitlines()
    place = f"{name} from the package index failed: "
    assert missing.startswith(f"{place}No details about project 'nothing'")
    assert "timed out" in stalled.removeprefix(place)
    assert other.endswith(" failed: the project data has no file data-2.0.zip")
    assert content() == RAW_FILES


CERTIFICATES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR", "PIP_CERT")


@pytest.mark.parametrize("setting", ["REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "PIP_CERT"])
def test_what_pip_trusts_is_trusted(
    workspace: Workspace, server: Server, setting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as the certificate of a company that inspects what is encrypted; no other."""
    for name in CERTIFICATES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    subprocess.run(MAKE_CERTIFICATE, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain("certificate.pem", "key.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    source = f"{server.url.replace('http:', 'https:')}/data/{{file}}"
    assert "CERTIFICATE_VERIFY_FAILED" in fetch(workspace, source).error()
    sources._pip.cache_clear()
    monkeypatch.setenv(setting, "certificate.pem")
    assert fetch(workspace, source).status == 0
    assert content() == RAW_FILES


@pytest.mark.fault
@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (Response(404), "the server answered 404 Not Found"),
        (Response(reset=True), "onnection"),
        (Response(body=CONTENT[:99], headers={"Content-Length": "100"}), "IncompleteRead"),
        (Response(body=CONTENT, stall=100), "timed out"),
        (Response(body=b"\x1f\x8bno gzip at all"), "Unknown compression method"),
        (Response(body=gzip.compress(CONTENT)[:-9]), "end-of-stream marker"),
        (Response(body=b""), "the SHA-256 of its 0 uncompressed bytes should be"),
        (Response(body=b"<html>log in</html>"), f"is {sha256(b'<html>log in</html>')}"),
        (Response(302, headers={"Location": "file:///etc/passwd"}), "No connection adapters"),
        (Response(302, headers={"Location": f"/data/{NAME}"}), "Exceeded 30 redirects"),
    ],
)
def test_the_next_source_replaces_one_that_fails(
    workspace: Workspace, server: Server, response: Response, reason: str
) -> None:
    """One line says why; a name and password in a URL appear nowhere."""
    server.answers[f"/data/{NAME}"] = response
    server.files |= {f"/other/{name}": raw for name, raw in RAW_FILES.items()}
    first = f"{server.url.replace('//', '//name:secret@')}/data/{{file}}"
    completed = fetch(workspace, first, f"{server.url}/other/{{file}}")
    assert completed.status == 0
    line, *_ = completed.out.splitlines()
    assert line.startswith(f"{server.url}/data/* failed: ")
    assert reason in line
    assert "secret" not in completed.out
    assert content() == RAW_FILES


def test_only_a_missing_or_damaged_file_is_fetched(workspace: Workspace, server: Server) -> None:
    workspace.put("raw", RAW_FILES | {NAME: b"damaged"})
    assert fetch(workspace, f"{server.url}/data/{{file}}").status == 0
    assert server.requests == [f"/data/{NAME}"]
    assert content() == RAW_FILES


@pytest.mark.fault
@pytest.mark.parametrize("is_link", [False, True])
def test_only_files_of_other_datasets_are_removed(workspace: Workspace, is_link: bool) -> None:
    """By their SHA-256; anything else is somebody's own, and named, also behind a link."""
    other = {"other.csv": b"listed", "edited.csv": b"listed, then edited"}
    files = {name: sha256(b"listed") for name in other}
    workspace.datasets["other"] = entry("elsewhere/{file}") | {"files": files}
    own = {"edited.csv": other["edited.csv"], "mine.csv": b"listed", ".hidden": b"listed"}
    folder = workspace.put("elsewhere" if is_link else "raw", RAW_FILES | other | own)
    (folder / "survey").mkdir()
    if is_link:
        Path("raw").symlink_to("elsewhere")
    completed = workspace.run("fetch", "raw")
    assert completed.status == 0
    assert [line.split(" is ")[0] for line in completed.out.splitlines() if "warning" in line] == [
        f"warning: raw/{name}" for name in ("edited.csv", "mine.csv", "survey")
    ]
    assert {path.name for path in folder.iterdir()} == {*RAW_FILES, *own, "survey"}


def test_if_no_source_delivers_each_is_named(workspace: Workspace, server: Server) -> None:
    """And why; what an earlier source has delivered stays, and nothing half-written."""
    server.answers[f"/data/{LAST}"] = Response(404)
    workspace.put(".", {"text.zip": TEXT})
    archive = _archive(workspace, server, "gztar")
    wrong_archives = {
        f"SHA-256 should be {'0' * 64}, is": {"sha256": "0" * 64},
        f"filename 'elsewhere/{LAST}' not found": {"member": "elsewhere/{file}"},
        "text.zip: file could not be opened": {"archive": "text.zip", "sha256": sha256(TEXT)},
    }
    places = [archive | wrong for wrong in wrong_archives.values()]
    completed = fetch(workspace, f"{server.url}/data/{{file}}", "nowhere/{file}", *places)
    assert completed.status == 1
    error = completed.error()
    start = f"raw: no source delivered {LAST}: {server.url}/data/*: the server answered 404"
    assert error.startswith(start)
    for reason in (f"No such file or directory: 'nowhere/{LAST}'", *wrong_archives):
        assert reason in error
    assert content() == {name: RAW_FILES[name] for name in RAW_FILES if name != LAST}
