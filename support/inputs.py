"""Notice that a stage's code, settings or data were edited while it ran.

DVC records what it finds when a stage has ended, so it would record the new code with the results
of the old (https://github.com/treeverse/dvc/issues/11058).
"""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from support.command_line import CommandError, run
from support.yaml_file import read_yaml

PARAMS = "params.yaml"
# Larger files are compared by size and time.
HASHED_BYTES = 1 << 20

Inputs = dict[str, Any]


def run_stage(main: Callable[[], None]) -> NoReturn:
    """Run a stage as `run` does; it fails if DVC would record its results with other inputs."""

    def run_and_compare() -> None:
        before = stage_inputs()
        main()
        check_unchanged(before, stage_inputs())

    run(run_and_compare)


def stage_inputs() -> Inputs:
    """Return the state of what dvc.yaml lists as inputs of the stage that DVC runs, if any."""
    name, _, key = os.environ.get("DVC_STAGE", "").partition("@")
    stage = read_yaml(Path("dvc.yaml"))["stages"].get(name, {}) if name else {}
    stage = stage.get("do", stage)
    files = [file for path in stage.get("deps", []) for file in _files(Path(path))]
    inputs: Inputs = {str(file): _state(file) for file in files}
    dataset = str(read_yaml(Path(PARAMS)).get("dataset")) if name else ""
    for group in stage.get("params", []):
        for file, settings in (group if isinstance(group, dict) else {PARAMS: [group]}).items():
            document = read_yaml(Path(file))
            for setting in settings:
                place = setting.replace("${key}", key).replace("${dataset}", dataset)
                inputs[f"{file}: {place}"] = _value(document, place)
    return inputs


def check_unchanged(before: Inputs, after: Inputs) -> None:
    """Raise CommandError if an input is not what it was, with what can be done about it."""
    changed = [name for name in before | after if before.get(name) != after.get(name)]
    if changed:
        stage = os.environ["DVC_STAGE"]
        raise CommandError(
            f"{', '.join(changed)}: changed while {stage} ran, whose results are those of before; "
            f"undo the change and keep them with `dvc commit {stage}`, or run `dvc repro` again"
        )


def _files(path: Path) -> list[Path]:
    files = path.rglob("[!.]*") if path.is_dir() else [path]
    return [file for file in files if file.is_file() and file.suffix != ".pyc"]


def _state(file: Path) -> object:
    status = file.stat()
    if status.st_size > HASHED_BYTES:
        return status.st_size, status.st_mtime_ns
    return hashlib.sha256(file.read_bytes()).digest()


def _value(document: Any, place: str) -> Any:
    for name in place.split("."):
        document = document.get(name) if isinstance(document, dict) else None
    return document
