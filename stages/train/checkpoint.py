"""The state of an interrupted training, from which it resumes.

Checkpoints are outside DVC's outputs, in .cache/checkpoints of the repository.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from common.arrays import load_arrays, save_arrays
from common.config import Config
from support.command_line import InputError, echo
from support.files import repository, sha256

FOLDER = Path(".cache/checkpoints")
STAGE = Path(__file__).parent
CODE = (
    STAGE.parents[1] / "common/model.py",
    STAGE / "requirements.txt",
    *sorted(STAGE.glob("*.py")),
)
# These settings change no state.
IRRELEVANT = {"log_every_iterations", "checkpoint_every_seconds"}
MAX_FILES = 20
State = Mapping[str, NDArray[Any]]


def checkpoint_path(run: str, config: Config, data: Iterable[Path]) -> Path:
    """Return the place of a training's checkpoint, named by all that determines its state.

    That is all settings but the number of iterations, the data, the code, and the versions that
    requirements.txt pins. ADAPT: if the state depends on the number of iterations, as with a
    schedule, add ``config.runs[run].iterations`` to the settings.
    """
    settings = [config.model.model_dump(), config.train.model_dump(exclude=IRRELEVANT)]
    digest = hashlib.sha256(json.dumps(settings).encode())
    for path in (*CODE, *data):
        digest.update(sha256(path).encode())
    return repository() / FOLDER / f"{run}-{digest.hexdigest()}.npz"


def save_checkpoint(path: Path, state: State) -> None:
    """Write the state of a training."""
    save_arrays(path, state)


def mark_complete(path: Path) -> None:
    """Record that the results of a training are written; only the latest trainings stay."""
    with suppress(FileNotFoundError):  # another training may do the same at the same time
        path.replace(_complete(path))
    with suppress(FileNotFoundError):
        files = sorted(path.parent.glob("*.npz"), key=lambda file: file.stat().st_mtime)
        for old in files[:-MAX_FILES]:
            old.unlink()


def load_checkpoint(path: Path, iterations: int) -> State | None:
    """Return a state from which a training of so many iterations can go on, if there is one.

    A complete training is only made longer: repeated, it computes everything again.
    """
    for candidate, most in ((path, iterations), (_complete(path), iterations - 1)):
        if candidate.exists():
            try:
                state = load_arrays(candidate)
            except InputError as error:
                echo(f"not used: {error}")
                continue
            if len(state["costs"]) <= most:
                return state
    return None


def _complete(path: Path) -> Path:
    return path.with_suffix(".complete.npz")
