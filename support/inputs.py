"""Check what DVC checks too late, or not at all, when it runs a stage.

DVC records what it finds when a stage has ended, so after an edit it would record the new code with
the results of the old (https://github.com/treeverse/dvc/issues/11058). It refuses outputs outside
of the repository. And when a stage has failed, it does not say how to restore the last success.
"""

import inspect
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from support.command_line import CommandError, InputError, run
from support.files import files_in, sha256
from support.requirements import check_requirements
from support.yaml_file import read_yaml

PARAMS = "params.yaml"
# Larger files are compared by size and time.
HASHED_BYTES = 1 << 20

Inputs = dict[str, Any]


def run_stage(main: Callable[[], None]) -> NoReturn:
    """Run a stage as `run` does; it fails if DVC would record its results with other inputs.

    Those are the files and settings that dvc.yaml lists, and the packages that requirements.txt
    beside `main` pins.
    """

    def run_and_compare() -> None:
        pins = Path(inspect.getfile(main)).with_name("requirements.txt")
        if pins.exists():
            check_requirements(pins)
        check_places()
        before = stage_inputs()
        main()
        check_unchanged(before, stage_inputs())

    try:
        run(run_and_compare)
    except SystemExit as end:
        if end.code and (lost := lost_outputs()):
            files = f"DVC removed {', '.join(lost)} before this stage"
            command = f"`dvc checkout --force {_name()}`"
            restore = f"{command} restores the last results, `git checkout` those in git"
            sys.stderr.write(f"{files}; {restore}\n")
        raise


def check_places() -> None:
    """Raise InputError if an output is behind a link that leads out of the repository.

    DVC says so only after the work.
    """
    for out in _stage("dvc.yaml").get("outs", []):
        folder = Path(next(iter(out)) if isinstance(out, dict) else out).parent
        if not folder.resolve().is_relative_to(Path.cwd()):
            raise InputError(
                f"{folder}: a link to {folder.resolve()}, outside of the repository, where DVC "
                "records no outputs; remove it, and keep DVC's cache on that disk: "
                "`dvc cache dir --local FOLDER && dvc config --local cache.type symlink`"
            )


def lost_outputs() -> list[str]:
    """Return the files and folders of the last success that DVC has removed before the stage."""
    outs = _stage("dvc.lock").get("outs", [])
    return [out["path"] for out in outs if not Path(out["path"]).exists()]


def stage_inputs() -> Inputs:
    """Return the state of what dvc.yaml lists as inputs of the stage that DVC runs, if any."""
    stage, key = _stage("dvc.yaml"), _name().partition("@")[2]
    paths = map(Path, stage.get("deps", []))
    files = [file for path in paths for file in (files_in(path) if path.is_dir() else [path])]
    inputs: Inputs = {str(file): _state(file) for file in files}
    dataset = str(read_yaml(Path(PARAMS)).get("dataset")) if stage else ""
    for group in stage.get("params", []):
        for file, settings in (group if isinstance(group, dict) else {PARAMS: [group]}).items():
            if not settings or Path(file).suffix not in (".yaml", ".yml"):
                inputs[file] = _state(Path(file))
                continue
            document = read_yaml(Path(file))
            for setting in settings:
                place = setting.replace("${key}", key).replace("${dataset}", dataset)
                inputs[f"{file}: {place}"] = _value(document, place)
    return inputs


def check_unchanged(before: Inputs, after: Inputs) -> None:
    """Raise CommandError if an input is not what it was, with what can be done about it."""
    changed = [name for name in before | after if before.get(name) != after.get(name)]
    if changed:
        stage = _name()
        raise CommandError(
            f"{', '.join(changed)}: changed while {stage} ran, whose results are those of before; "
            f"undo the change and keep them with `dvc commit {stage}`, or run `dvc repro` again"
        )


def _name() -> str:
    """Return the name of the stage that DVC runs, empty if there is none."""
    return os.environ.get("DVC_STAGE", "")


def _stage(file: str) -> Any:
    """Return what a file of DVC says of this stage, empty if there is none."""
    if not (_name() and Path(file).exists()):
        return {}
    stages = read_yaml(Path(file))["stages"]
    stage = stages.get(_name()) or stages.get(_name().partition("@")[0], {})
    return stage.get("do", stage)


def _state(file: Path) -> object:
    if not file.exists():
        return None
    status = file.stat()
    return (status.st_size, status.st_mtime_ns) if status.st_size > HASHED_BYTES else sha256(file)


def _value(document: Any, place: str) -> Any:
    for name in place.split("."):
        document = document.get(name) if isinstance(document, dict) else None
    return document
