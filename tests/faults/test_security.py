"""Nothing is run, written or shared that should not be."""

import secrets

import pytest

from tests.fixtures import Project

pytestmark = pytest.mark.fault


def test_no_shell_runs_the_name_of_a_run(project_copy: Project) -> None:
    """A name with shell metacharacters is refused before `train` would pass it to a shell."""
    project_copy.edit("params.yaml", "  short:", '  "a; touch entered; b":')
    refused = project_copy.run("dvc", "repro")
    assert refused.status != 0
    assert "should be made of letters, digits, - and _ only" in refused.err
    assert not (project_copy.path / "entered").exists()


@pytest.mark.slow
def test_no_secret_of_the_environment_is_written(project_copy: Project) -> None:
    """Neither in a run of MLflow nor in any other file."""
    secret = secrets.token_hex()
    variables = dict.fromkeys(("AWS_SECRET_ACCESS_KEY", "HF_TOKEN", "SOMETHING"), secret)
    printed = project_copy.do("dvc", "repro", "--force", "track", **variables)
    assert secret not in printed
    for folder in (project_copy.path, project_copy.home, project_copy.temporary):
        for path in folder.rglob("*"):
            if path.is_file() and ".venv" not in path.parts:
                assert secret.encode() not in path.read_bytes(), path
