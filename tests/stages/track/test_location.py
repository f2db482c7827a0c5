"""Where the MLflow store is, and what is known of it without MLflow."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from tests.fixtures import Workspace

from stages.track import location as store

# MLflow's libraries warn of one another.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.parametrize(
    ("variable", "address"),
    [
        (None, "sqlite:////somewhere/mlflow.db"),
        ("", "sqlite:////somewhere/mlflow.db"),
        ("http://127.0.0.1:5000", "http://127.0.0.1:5000"),
    ],
)
def test_the_store_is_in_the_repository_or_where_the_user_says(
    monkeypatch: pytest.MonkeyPatch, variable: str | None, address: str
) -> None:
    """The variable is MLflow's own."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    if variable is not None:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", variable)
    assert address == store.address(Path("/somewhere"))


def _newer(path: Path) -> None:
    _schema(path, "f00f00f00f00")


def _older(path: Path) -> None:
    _schema(path, "451aebb31d03")  # MLflow's first


def _schema(path: Path, schema: str) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE alembic_version SET version_num = ?", [schema])


CHANGES: dict[str, Callable[[Path], object]] = {
    "deleted": Path.unlink,
    "empty": lambda path: path.write_bytes(b""),
    "damaged": lambda path: path.write_bytes(b"SQLite format 3\0 and nothing more"),
    "newer": _newer,
    "older": _older,
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_in_any_doubt_nothing_is_known(
    completed_workspace: Workspace, change: Callable[[Path], None]
) -> None:
    """Then MLflow is asked, which says what is wrong."""
    assert completed_workspace.run("track", "--list", "list").status == 0
    listed = {
        line.split()[1] for line in (completed_workspace.path / "list").read_text().splitlines()
    }
    assert listed == store.whole(completed_workspace.path)
    change(completed_workspace.path / "mlflow.db")
    assert set() == store.whole(completed_workspace.path)


def test_a_store_elsewhere_is_not_looked_into(
    completed_workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the repository's own database knows is of no matter then."""
    assert completed_workspace.run("track").status == 0
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:////somewhere/else.db")
    assert set() == store.whole(completed_workspace.path)
