"""The sweep command as far as it goes without Ray: what is checked first, and what is config."""

from __future__ import annotations

import socket
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.fixtures import RAW_FILES, Workspace, yaml
from test_search_space import DOCUMENT

from common.command_line import InputError
from extras.sweeps import cluster, sweep
from extras.sweeps.search_space import Sweep

SWEEP = Sweep.model_validate(DOCUMENT)


def _table(rows: list[tuple[float, int, int, float, str]]) -> pd.DataFrame:
    columns = ["train.learning_rate", "train.batch_size", "train.seed", "validation", "status"]
    return pd.DataFrame(rows, columns=columns)


def test_the_best_setting_is_that_of_the_best_mean() -> None:
    """One lucky seed is not enough, and the deviation is that of a sample."""
    table = _table(
        [
            (0.1, 16, 1, 0.99, "finished"),
            (0.1, 16, 2, 0.91, "finished"),
            (0.2, 16, 1, 0.96, "finished"),
            (0.2, 16, 2, 0.98, "finished"),
        ]
    )
    ranking = sweep.summary(table, SWEEP)
    assert list(ranking["train.learning_rate"]) == [0.2, 0.1]
    assert pytest.approx([0.97, 0.95]) == list(ranking["validation"])
    assert pytest.approx(np.sqrt(2 * 0.01**2)) == ranking["deviation"][0]


def test_settings_without_all_their_seeds_are_not_chosen() -> None:
    """What was stopped, failed or not begun leaves its setting out, however good the rest."""
    table = _table(
        [
            (0.1, 16, 1, 0.99, "finished"),
            (0.1, 16, 2, np.nan, "failed"),
            (0.2, 16, 1, 0.98, "stopped"),
            (0.2, 16, 2, 0.98, "finished"),
            (0.3, 16, 1, 0.97, "finished"),
            (0.4, 16, 1, 0.5, "finished"),
            (0.4, 16, 2, 0.5, "finished"),
        ]
    )
    assert list(sweep.summary(table, SWEEP)["train.learning_rate"]) == [0.4]


@pytest.mark.parametrize(
    ("address", "machines", "tracking"),
    [
        (None, {socket.gethostname()}, "sqlite:////home/me/mlflow.db"),
        ("127.0.0.1:6379", {socket.gethostname()}, "sqlite:////home/me/mlflow.db"),
        ("localhost:6379", (), "http://127.0.0.1:5000"),
        ("10.0.0.1:6379", {"other", socket.gethostname()}, "http://10.0.0.1:5000"),
        ("auto", {"other"}, "postgresql://user:word@10.0.0.1/mlflow"),
    ],
)
def test_a_store_that_all_machines_reach_is_fine(
    address: str | None, machines: set[str], tracking: str
) -> None:
    """A file does for one machine, and a server for many."""
    sweep.check_tracking(address, machines, tracking)


@pytest.mark.parametrize(
    ("address", "machines", "tracking"),
    [
        ("10.0.0.1:6379", (), "sqlite:////home/me/mlflow.db"),
        ("ray://10.0.0.1:10001", (), "sqlite:///mlflow.db"),
        ("auto", (), "http://localhost:5000"),
        ("10.0.0.1:6379", (), "http://user:word@127.0.0.1:5000"),
        ("127.0.0.1:6379", {"other", socket.gethostname()}, "file:///home/me/mlruns"),
    ],
)
def test_a_store_of_this_machine_alone_is_refused(
    address: str, machines: set[str], tracking: str
) -> None:
    """The error says what to do, and no password."""
    with pytest.raises(InputError, match="start `mlflow server` where all of them") as raised:
        sweep.check_tracking(address, machines, tracking)
    assert "word" not in str(raised.value)


@pytest.fixture
def ready(workspace: Workspace) -> Workspace:
    """Give a working directory with arrays and a sweep file."""
    raw = workspace.put("raw", RAW_FILES)
    assert workspace.run("flatten", raw, "data/flat").status == 0
    with Path("some.yaml").open("w", encoding="utf-8") as file:
        yaml().dump(DOCUMENT, file)
    return workspace


def test_other_machines_need_a_server(ready: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line and status 2, before anything is connected to."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    outcome = ready.run("sweep", "some.yaml", "--address", "192.0.2.1:6379")
    assert outcome.status == 2
    assert "--address 192.0.2.1:6379: other machines cannot write to sqlite:" in outcome.error()


def test_there_must_be_something_to_resume(ready: Workspace) -> None:
    """One line and status 2 where nothing was begun, or something else was."""
    outcome = ready.run("sweep", "some.yaml", "--resume")
    assert outcome.status == 2
    assert "some.yaml: nothing to resume" in outcome.error()
    ready.put(".cache/sweeps", {"some.json": b'{"made_of": "other", "run": "1"}'})
    outcome = ready.run("sweep", "some.yaml", "--resume")
    assert outcome.status == 2
    assert "have changed since" in outcome.error()


def test_arrays_of_other_settings_are_refused(ready: Workspace) -> None:
    """A trial would be validated on other images than the pipeline's run."""
    ready.params["flatten"]["validation_examples"] += 1
    ready.write()
    outcome = ready.run("sweep", "some.yaml")
    assert outcome.status == 2
    assert "data/flat: not made with the settings in params.yaml" in outcome.error()


def test_ray_need_not_be_installed(ready: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it, one line says how it is installed."""
    monkeypatch.setattr(cluster, "find_spec", lambda _: None)
    outcome = ready.run("sweep", "some.yaml")
    assert outcome.status == 2
    assert "Ray is not installed; `make sweep` installs it" in outcome.error()
