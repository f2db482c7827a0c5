"""Files that the project did not write: no command deletes one."""

import random
from pathlib import Path

import pytest

from tests.project import Project

pytestmark = pytest.mark.fault
ARRANGEMENTS = 50
COMMANDS = (
    ("dvc", "repro", "--force", "--single-item", "fetch"),
    ("dvc", "repro", "--force", "--single-item", "flatten"),
    ("dvc", "repro", "--force", "--single-item", "train@short"),
    ("make", "clean"),
)
# Not data/flat and models/short: DVC empties the folders that are outputs.
FOLDERS = ("data", "data/raw", "data/my survey", "models", "models/old", "costs", "costs/old")
NAMES = ("mine.csv", "my file.csv", "-rf", ".hidden", "weights.npz", "ü.csv")


def _arrange(root: Path, elsewhere: Path, chance: random.Random) -> dict[Path, Path]:
    """Put files and links at random places, and return each with where its content is."""
    own: dict[Path, Path] = {}
    for folder in chance.sample(FOLDERS, 3):
        if (root / folder).is_dir() and chance.random() < 0.3:
            (root / folder).rename(elsewhere / folder.replace("/", " "))
            (root / folder).symlink_to(elsewhere / folder.replace("/", " "))
        (root / folder).mkdir(parents=True, exist_ok=True)
        for name in chance.sample(NAMES, 2):
            place = content = root / folder / name
            if chance.random() < 0.5:
                content = elsewhere / f"{len(own)} {name}"
                place.symlink_to(content)
            content.write_text(str(place), "utf-8")
            own[place] = content
    return own


# One for each command is enough for `make test-all`.
NUMBERS = [
    pytest.param(number, marks=pytest.mark.slow if number < len(COMMANDS) else pytest.mark.marathon)
    for number in range(ARRANGEMENTS)
]


@pytest.mark.parametrize("number", NUMBERS)
def test_no_file_of_ones_own_is_lost(project_copy: Project, number: int, tmp_path: Path) -> None:
    """In random arrangements of files and links; a command may refuse them."""
    chance = random.Random(number)  # noqa: S311 - places, not secrets
    (tmp_path / "elsewhere").mkdir()
    own = _arrange(project_copy.path, tmp_path / "elsewhere", chance)
    project_copy.run(*COMMANDS[number % len(COMMANDS)])
    for place, content in own.items():
        assert place.read_text("utf-8") == str(place), place
        assert content.is_file(), content
