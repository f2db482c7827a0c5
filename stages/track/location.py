"""Where the MLflow store is, and where it keeps artifacts."""

from __future__ import annotations

import os
import re
from pathlib import Path

DATABASE = "mlflow.db"
ARTIFACTS = "mlartifacts"


def repository() -> Path:
    """Return the folder of the project, even in the copies in which DVC runs experiments.

    The environment variable ``DVC_ROOT`` is not used, because it may name another repository.
    """
    return Path(str(Path.cwd()).partition("/.dvc/tmp/exps/")[0])


def tracking_uri(root: Path) -> str:
    """Return the URI of the store: `MLFLOW_TRACKING_URI`, or a database in the repository.

    A relative path is relative to the repository, wherever this runs.
    """
    uri = os.environ.get("MLFLOW_TRACKING_URI") or own_uri(root)
    return re.sub(r"^(sqlite(?:\+\w+)?:///|file:)(?!/)", lambda start: f"{start[0]}{root}/", uri)


def own_uri(root: Path) -> str:
    """Return the URI of the database in the repository."""
    path = str(root / DATABASE).replace("%", "%25").replace("?", "%3F")
    # With "sqlite:", MLflow would make the folder that is named with the percent signs.
    return f"sqlite+pysqlite:///{path}" if "%" in path else f"sqlite:///{path}"


def is_server(uri: str) -> bool:
    """Return whether a store is an MLflow server, which decides where artifacts are kept."""
    return uri.startswith(("http:", "https:", "databricks"))


def artifact_location(root: Path) -> str:
    """Return the URI of the folder for models and figures, if the store is not a server."""
    return (root / ARTIFACTS).as_uri()
