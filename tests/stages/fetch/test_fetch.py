"""Getting the files, from the first source that has them right."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from tests.fixtures import RAW_FILES, Response, Workspace, Server, entry

from common.config import FILE_NAMES

RAW = Path("data/raw")
DEAD = "http://127.0.0.1:1/{file}"


def _files(workspace: Workspace) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (workspace.path / RAW).iterdir()}


def _sources(workspace: Workspace, *sources: str) -> None:
    workspace.datasets["synthetic"] = entry(*sources)
    workspace.write()


def test_the_first_source_that_works_is_taken(workspace: Workspace, server: Server) -> None:
    """A dead source is passed over and said; the files come uncompressed and nothing else."""
    _sources(workspace, DEAD, f"{server.url}/data/{{file}}.gz", "file:/nowhere/{file}")
    outcome = workspace.run("fetch", RAW)
    assert (outcome.status, outcome.err) == (0, "")
    assert _files(workspace) == RAW_FILES
    assert "http://127.0.0.1:1/* failed: " in outcome.out
    assert "data/raw: all 4 files are there and right\n" in outcome.out


def test_what_is_right_is_not_fetched_again(workspace: Workspace, server: Server) -> None:
    """Only a missing and a damaged file are asked for."""
    _sources(workspace, f"{server.url}/data/{{file}}")
    right = dict(RAW_FILES)
    del right[FILE_NAMES[1]]
    workspace.put("data/raw", right | {FILE_NAMES[2]: b"damaged"})
    assert workspace.run("fetch", RAW).status == 0
    assert _files(workspace) == RAW_FILES
    assert [f"/data/{name}" for name in FILE_NAMES[1:3]] == server.requests


def test_sources_complete_each_other(workspace: Workspace, server: Server, tmp_path: Path) -> None:
    """What one source gave is kept when it fails, and the next is asked for the rest."""
    server.answers[f"/data/{FILE_NAMES[2]}"] = [Response(404)]
    workspace.put("mirror", {name: gzip.compress(RAW_FILES[name]) for name in FILE_NAMES[2:]})
    _sources(workspace, f"{server.url}/data/{{file}}", f"file:{tmp_path}/mirror/{{file}}")
    assert workspace.run("fetch", RAW).status == 0
    assert _files(workspace) == RAW_FILES


def test_every_attempt_is_listed(workspace: Workspace, server: Server) -> None:
    """Where no source works, one line says what each did, and what to do; no file is there."""
    _sources(workspace, DEAD, f"{server.url}/no/{{file}}", "file:/nowhere/{file}")
    outcome = workspace.run("fetch", RAW)
    assert outcome.status == 1
    error = outcome.error()
    for said in ("data/raw: no source gave train-images", "Connection refused", "404", "/nowhere/"):
        assert said in error
    assert error.endswith("or add a source to datasets.yaml")
    assert not (workspace.path / RAW).exists()


def test_nothing_is_lost(workspace: Workspace) -> None:
    """A file that is there stays, wrong as it may be, if no better one can be had."""
    _sources(workspace, DEAD)
    workspace.put("data/raw", {FILE_NAMES[0]: b"mine"})
    assert workspace.run("fetch", RAW).status == 1
    assert {FILE_NAMES[0]: b"mine"} == _files(workspace)


def test_a_wrong_file_never_gets_its_name(workspace: Workspace, server: Server) -> None:
    """What does not match is not written at all."""
    server.answers[f"/data/{FILE_NAMES[0]}"] = [Response(body=bytes(len(RAW_FILES[FILE_NAMES[0]])))]
    _sources(workspace, f"{server.url}/data/{{file}}")
    assert "SHA-256 should be" in workspace.run("fetch", RAW).error()
    assert not (workspace.path / RAW).exists()


def test_a_folder_that_cannot_be_made(workspace: Workspace, server: Server) -> None:
    """The error is the system's, with the path."""
    _sources(workspace, f"{server.url}/data/{{file}}")
    (workspace.path / "data").write_text("a file")
    outcome = workspace.run("fetch", RAW)
    assert outcome.status == 1
    assert "data/raw" in outcome.error()


@pytest.mark.parametrize("stage", ["fetch", "flatten", "train", "evaluate"])
def test_wrong_settings_stop_every_stage(workspace: Workspace, stage: str) -> None:
    """A misspelt parameter is named before anything is read or written."""
    workspace.params["train"]["learning_rat"] = workspace.params["train"].pop("learning_rate")
    workspace.write()
    arguments = {"fetch": 1, "flatten": 2, "train": 4, "evaluate": 5}[stage] * ["x"]
    outcome = workspace.run(stage, *arguments)
    assert outcome.status == 2
    expected = "params.yaml: train.learning_rat: unknown name, did you mean learning_rate?"
    assert expected == outcome.error()
    assert {"params.yaml", "datasets.yaml"} == {path.name for path in workspace.path.iterdir()}
