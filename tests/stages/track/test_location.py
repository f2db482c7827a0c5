"""Where the MLflow store is."""

from pathlib import Path

import pytest

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
