"""Wrong settings and secrets: nothing is run or written that should not be."""

import copy
import secrets
import shutil
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.project import Project
from tests.workspace import RAW_FILES, Workspace, entry, synthetic_params

pytestmark = pytest.mark.fault
SCALARS = st.none() | st.booleans() | st.integers() | st.integers(-2, 600) | st.floats() | st.text()
VALUES = SCALARS | st.lists(SCALARS, max_size=3) | st.dictionaries(SCALARS, SCALARS, max_size=3)
VALID = {"params": synthetic_params(), "datasets": {"synthetic": entry("data/{file}")}}


def test_wrong_settings_stop_repro(project_copy: Project) -> None:
    """They are named, and no shell has read the name of a run."""
    project_copy.edit("params.yaml", "learning_rate:", "learning_rat:")
    project_copy.edit("params.yaml", "  short:", '  "a; touch entered; b":')
    completed = project_copy.run("dvc", "repro")
    assert completed.status != 0
    assert "train.learning_rat: unknown name, did you mean learning_rate?" in completed.err
    assert "runs.a; touch entered; b" in completed.err
    assert "Traceback" not in completed.err
    assert not (project_copy.path / "entered").exists()


def test_a_failed_stage_leaves_no_output(project_copy: Project) -> None:
    """DVC has removed those of the last success, and `dvc checkout` restores them."""
    arrays = project_copy.path / "data/flat/test.npz"
    before = arrays.read_bytes()
    project_copy.edit("params.yaml", "validation_examples: 100", "validation_examples: 600")
    completed = project_copy.run("dvc", "repro")
    assert completed.status != 0
    assert "flatten.validation_examples: is 600, should be less than the 600" in completed.err
    assert not arrays.exists()
    command = "dvc checkout --force flatten"
    assert f"DVC removed data/flat before this stage; `{command}` restores" in completed.err
    project_copy.do(*command.split())
    assert arrays.read_bytes() == before


def test_outputs_outside_of_the_repository_are_refused_before_the_work(
    project_copy: Project,
) -> None:
    """DVC would refuse them afterwards."""
    disk = project_copy.home / "disk"
    (project_copy.path / "data").rename(disk)
    (project_copy.path / "data").symlink_to(disk)
    raw = sorted((disk / "raw").iterdir())
    raw.pop().unlink()
    completed = project_copy.run("dvc", "repro")
    assert f"error: data: a link to {disk}, outside of the repository" in completed.err
    assert sorted((disk / "raw").iterdir()) == raw


def _sections(document: Any) -> list[Any]:
    """Return all mappings and lists in a document that are not empty."""
    values = document.values() if isinstance(document, dict) else document
    inner = [value for value in values if isinstance(value, dict | list) and value]
    return [*inner, *(section for value in inner for section in _sections(value))]


def _mutate(data: st.DataObject) -> Any:
    """Change one to three values of valid settings."""
    document = copy.deepcopy(VALID)
    for _ in range(data.draw(st.integers(1, 3))):
        section = data.draw(st.sampled_from(_sections(document)))
        names = list(section) if isinstance(section, dict) else range(len(section))
        section[data.draw(st.sampled_from(names))] = data.draw(VALUES)
    return document


@pytest.mark.slow
@settings(max_examples=300, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_settings_are_followed_or_refused(workspace: Workspace, data: st.DataObject) -> None:
    """A stage runs to its end, or ends in one line that names the place before it writes a file."""
    workspace.put("raw", RAW_FILES)
    document = _mutate(data)
    workspace.params, workspace.datasets = document["params"], document["datasets"]
    completed = workspace.run("flatten", "raw", "flat")
    if completed.status:
        places = ("params.yaml: ", "datasets.yaml: ", "raw", "train split: ")
        assert completed.error().startswith(places)
        assert not (workspace.path / "flat").exists()
    else:
        shutil.rmtree(workspace.path / "flat")


@pytest.mark.slow
def test_no_secret_of_the_environment_is_written(project_copy: Project) -> None:
    """Neither in a run of MLflow nor in any other file."""
    secret = secrets.token_hex()
    variables = dict.fromkeys(("AWS_SECRET_ACCESS_KEY", "HF_TOKEN", "SOMETHING"), secret)
    assert secret not in project_copy.do("dvc", "repro", "--force", "track", **variables)
    for folder in (project_copy.path, project_copy.home, project_copy.temporary):
        for path in folder.rglob("*"):
            if path.is_file() and ".venv" not in path.parts:
                assert secret.encode() not in path.read_bytes(), path
