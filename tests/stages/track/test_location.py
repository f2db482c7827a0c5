"""Where the MLflow store is."""

from pathlib import Path

import pytest
from sqlalchemy import make_url

from stages.track import location


@pytest.mark.parametrize(
    ("variable", "uri"),
    [
        (None, "sqlite:////here/mlflow.db"),
        ("", "sqlite:////here/mlflow.db"),
        ("sqlite:///mlflow.db", "sqlite:////here/mlflow.db"),
        ("sqlite+pysqlite:///a/b.db", "sqlite+pysqlite:////here/a/b.db"),
        ("sqlite:////there/b.db", "sqlite:////there/b.db"),
        ("file:./mlruns", "file:/here/./mlruns"),
        ("http://127.0.0.1:5000", "http://127.0.0.1:5000"),
    ],
)
def test_a_relative_store_is_the_repositorys(
    monkeypatch: pytest.MonkeyPatch, variable: str | None, uri: str
) -> None:
    """Also in the temporary folder of an experiment, which is deleted afterwards."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    if variable is not None:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", variable)
    assert location.tracking_uri(Path("/here")) == uri


def test_the_name_of_a_folder_is_no_part_of_a_url(monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLAlchemy finds the database in the folder, whatever its name means in a URL."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    uri = make_url(location.tracking_uri(Path("/50%25 o'clock?x#")))
    assert uri.database == "/50%25 o'clock?x#/mlflow.db"


@pytest.mark.parametrize("folder", ["", ".dvc/tmp/exps/standalone/tmp1", ".dvc/tmp/exps/tmp2/sub"])
def test_the_repository_is_found_without_dvc_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    """The variable may be left over from another clone."""
    monkeypatch.setenv("DVC_ROOT", "/other/clone")
    (tmp_path / folder).mkdir(parents=True, exist_ok=True)
    monkeypatch.chdir(tmp_path / folder)
    assert location.repository() == tmp_path
