"""The fetch stage."""

from __future__ import annotations

import gzip

import pytest

from common.atomic import sha256
from tests.fixtures import RAW_FILES, Response, Server, Workspace, entry

NAME, *_ = RAW_FILES

pytestmark = pytest.mark.usefixtures("short_timeouts")


def _content(workspace: Workspace) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (workspace.path / "raw").iterdir()}


def _set_sources(workspace: Workspace, *sources: str) -> None:
    workspace.datasets["synthetic"] = entry(*sources)
    workspace.write()


def test_the_first_source_that_delivers(workspace: Workspace, server: Server) -> None:
    """A source that fails is reported, and the next one is asked for what is missing."""
    last = list(RAW_FILES)[-1]
    server.files |= {f"/other/{last}": RAW_FILES[last]}
    server.answers[f"/data/{last}"] = [Response(404)]
    _set_sources(workspace, *(f"{server.url}/{folder}/{{file}}" for folder in ("data", "other")))
    completed = workspace.run("fetch", "raw")
    assert completed.status == 0
    assert f"failed: {last}: the server answered 404 Not Found\n" in completed.out
    assert _content(workspace) == RAW_FILES


def test_files_that_are_there(workspace: Workspace, server: Server) -> None:
    """Only a missing or damaged file is fetched; another dataset's file is removed."""
    _set_sources(workspace, f"{server.url}/data/{{file}}")
    workspace.put("raw", RAW_FILES | {NAME: b"damaged", "other.csv": b""})
    assert workspace.run("fetch", "raw").status == 0
    assert server.requests == [f"/data/{NAME}"]
    assert _content(workspace) == RAW_FILES


def test_no_source_delivers(workspace: Workspace, server: Server) -> None:
    """The error names every source and file, and nothing half-written stays."""
    server.answers[f"/data/{NAME}"] = [Response(body=b"<html>log in</html>")]
    _set_sources(workspace, f"{server.url}/data/{{file}}", str(workspace.path / "no" / "{file}"))
    completed = workspace.run("fetch", "raw")
    assert completed.status == 1
    assert f"no source delivered {NAME}" in completed.error()
    assert "of 19 uncompressed bytes beginning b'<html>log in</ht'" in completed.error()
    assert "No such file or directory" in completed.error()
    assert not (workspace.path / "raw").exists() or not _content(workspace)


def test_passwords_are_not_printed(workspace: Workspace, server: Server) -> None:
    """A user name and password in a URL appear nowhere."""
    _set_sources(workspace, f"{server.url.replace('//', '//name:secret@')}/none/{{file}}")
    completed = workspace.run("fetch", "raw")
    assert completed.status == 1
    assert "secret" not in completed.out + completed.err


def test_the_checksum_of_the_compressed_file(workspace: Workspace, server: Server) -> None:
    """The likeliest mistake in datasets.yaml is recognised, and the correct value is named."""
    _set_sources(workspace, f"{server.url}/data/{{file}}.gz")
    compressed = gzip.compress(RAW_FILES[NAME])
    server.answers[f"/data/{NAME}.gz"] = [Response(body=compressed)]
    workspace.datasets["synthetic"]["files"][NAME] = sha256(compressed)
    workspace.write()
    completed = workspace.run("fetch", "raw")
    assert completed.status == 1
    assert "is the SHA-256 of the compressed file" in completed.error()
    assert sha256(RAW_FILES[NAME]) in completed.error()
    assert f"{len(RAW_FILES[NAME]):,} uncompressed bytes" in completed.error()
