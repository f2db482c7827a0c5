"""Getting the files, from the first source that has them right."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from conftest import CONTENTS, Answer, Folder, Server, entry

from common.config import FILE_NAMES

RAW = Path("data/raw")
DEAD = "http://127.0.0.1:1/{file}"


def _files(folder: Folder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder.path / RAW).iterdir()}


def _sources(folder: Folder, *sources: str) -> None:
    folder.datasets["synthetic"] = entry(*sources)
    folder.write()


def test_the_first_source_that_works_is_taken(folder: Folder, server: Server) -> None:
    """A dead source is passed over and said; the files come uncompressed and nothing else."""
    _sources(folder, DEAD, f"{server.url}/data/{{file}}.gz", "file:/nowhere/{file}")
    outcome = folder.run("fetch", RAW)
    assert (0, "") == (outcome.status, outcome.err)
    assert CONTENTS == _files(folder)
    assert "http://127.0.0.1:1/* failed: " in outcome.out
    assert "data/raw: all 4 files are there and right\n" in outcome.out


def test_what_is_right_is_not_fetched_again(folder: Folder, server: Server) -> None:
    """Only a missing and a damaged file are asked for."""
    _sources(folder, f"{server.url}/data/{{file}}")
    right = dict(CONTENTS)
    del right[FILE_NAMES[1]]
    folder.put("data/raw", right | {FILE_NAMES[2]: b"damaged"})
    assert 0 == folder.run("fetch", RAW).status
    assert CONTENTS == _files(folder)
    assert [f"/data/{name}" for name in FILE_NAMES[1:3]] == server.requests


def test_sources_complete_each_other(folder: Folder, server: Server, tmp_path: Path) -> None:
    """What one source gave is kept when it fails, and the next is asked for the rest."""
    server.answers[f"/data/{FILE_NAMES[2]}"] = [Answer(404)]
    folder.put("mirror", {name: gzip.compress(CONTENTS[name]) for name in FILE_NAMES[2:]})
    _sources(folder, f"{server.url}/data/{{file}}", f"file:{tmp_path}/mirror/{{file}}")
    assert 0 == folder.run("fetch", RAW).status
    assert CONTENTS == _files(folder)


def test_every_attempt_is_listed(folder: Folder, server: Server) -> None:
    """Where no source works, one line says what each did, and what to do; no file is there."""
    _sources(folder, DEAD, f"{server.url}/no/{{file}}", "file:/nowhere/{file}")
    outcome = folder.run("fetch", RAW)
    assert 1 == outcome.status
    error = outcome.error()
    for said in ("data/raw: no source gave train-images", "Connection refused", "404", "/nowhere/"):
        assert said in error
    assert error.endswith("or add a source to datasets.yaml")
    assert not (folder.path / RAW).exists()


def test_nothing_is_lost(folder: Folder) -> None:
    """A file that is there stays, wrong as it may be, if no better one can be had."""
    _sources(folder, DEAD)
    folder.put("data/raw", {FILE_NAMES[0]: b"mine"})
    assert 1 == folder.run("fetch", RAW).status
    assert {FILE_NAMES[0]: b"mine"} == _files(folder)


def test_a_wrong_file_never_gets_its_name(folder: Folder, server: Server) -> None:
    """What does not match is not written at all."""
    server.answers[f"/data/{FILE_NAMES[0]}"] = [Answer(body=bytes(len(CONTENTS[FILE_NAMES[0]])))]
    _sources(folder, f"{server.url}/data/{{file}}")
    assert "SHA-256 should be" in folder.run("fetch", RAW).error()
    assert not (folder.path / RAW).exists()


def test_a_folder_that_cannot_be_made(folder: Folder, server: Server) -> None:
    """The error is the system's, with the path."""
    _sources(folder, f"{server.url}/data/{{file}}")
    (folder.path / "data").write_text("a file")
    outcome = folder.run("fetch", RAW)
    assert 1 == outcome.status
    assert "data/raw" in outcome.error()


@pytest.mark.parametrize("stage", ["fetch", "flatten", "train", "evaluate"])
def test_wrong_settings_stop_every_stage(folder: Folder, stage: str) -> None:
    """A misspelt parameter is named before anything is read or written."""
    folder.params["train"]["learning_rat"] = folder.params["train"].pop("learning_rate")
    folder.write()
    arguments = {"fetch": 1, "flatten": 2, "train": 4, "evaluate": 5}[stage] * ["x"]
    outcome = folder.run(stage, *arguments)
    assert 2 == outcome.status
    expected = "params.yaml: train.learning_rat: unknown name, did you mean learning_rate?"
    assert expected == outcome.error()
    assert {"params.yaml", "datasets.yaml"} == {path.name for path in folder.path.iterdir()}
