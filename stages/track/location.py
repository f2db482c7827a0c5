"""Where the MLflow store is, where it keeps artifacts, and the lock for it."""

import os
import re
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from support.command_line import echo

DATABASE = "mlflow.db"
ARTIFACTS = "mlartifacts"
LOCK_SECONDS = 600
OTHERS = "another `stages.track`, `make ui` or sweep that is writing to MLflow from here"


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


def acquire_lock(root: Path) -> AbstractContextManager[Any]:
    """Wait until no other process of the repository uses the store, and keep others away.

    Two processes that create a new store at once would damage it. Raises filelock's Timeout.
    """
    lock = FileLock(root / ".dvc/tmp/mlflow.lock", timeout=LOCK_SECONDS)
    try:
        return lock.acquire(timeout=3)
    except Timeout:
        echo(f"waiting for {OTHERS}")
        return lock.acquire()
    except OSError as error:
        error.filename = lock.lock_file  # the system does not say which file cannot be locked
        raise
