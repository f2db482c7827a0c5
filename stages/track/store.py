"""The MLflow store: the one at MLFLOW_TRACKING_URI, or else mlflow.db in the repository."""

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from support.command_line import CommandError, InputError, echo, gc_disabled, redact_credentials

if TYPE_CHECKING:
    from stages.track.track import Store

# By default MLflow would try for minutes to reach a server.
SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
}
OWN_DATABASE = ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME")
# A server needs more, such as a token. It does not need what would change our runs.
NOT_FOR_SERVER = ("ACTIVE_MODEL_ID", "RUN_ID", "ASYNC_LOGGING", "SYSTEM_METRICS_LOGGING")


def tracking_uri(root: Path) -> str:
    """Return the URI of the store; a relative SQLite path is relative to the repository."""
    uri = os.environ.get("MLFLOW_TRACKING_URI") or "sqlite:///mlflow.db"
    if uri.startswith("databricks"):
        raise InputError(f"MLFLOW_TRACKING_URI={uri}: Databricks is not supported")
    scheme, _, path = uri.partition(":///")
    if not scheme.startswith("sqlite"):
        return uri
    if set("%?") & set(str(root)):
        raise InputError(f"{root}: MLflow cannot keep a database in a path with % or ?")
    return f"{scheme}:///{root / path}"


def is_server(uri: str) -> bool:
    """Return whether a store is an MLflow server, which decides where artifacts are kept."""
    return uri.startswith(("http:", "https:"))


def experiment_name(dataset: str) -> str:
    """Return the name of the experiment, which is also that of the registered model."""
    return os.environ.get("MLFLOW_EXPERIMENT_NAME") or dataset


@contextmanager
def open_store(root: Path) -> "Iterator[Store]":
    """Open the store of a repository, for one process at a time; it is created if necessary.

    Imports MLflow, which takes seconds. An error of MLflow becomes a CommandError of one line.
    """
    uri = tracking_uri(root)
    if uri != f"sqlite:///{root}/mlflow.db":
        _announce(uri)
    _set_variables(uri)
    with gc_disabled(), warnings.catch_warnings(action="ignore"):
        from mlflow.exceptions import MlflowException
        from requests import RequestException
        from sqlalchemy.exc import SQLAlchemyError

        from stages.track.track import Store
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    # Two processes that create a database at once would damage it.
    lock = FileLock(root / ".dvc/tmp/mlflow.lock", timeout=600)
    try:
        with lock, warnings.catch_warnings(action="ignore"):  # libraries warn about each other
            yield Store(uri, root)
    except (MlflowException, ImportError, RequestException, SQLAlchemyError, Timeout) as error:
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        again = "the results are safe, `python -m stages.track` tries again"
        raise CommandError(redact_credentials(f"MLflow at {uri}: {reason:.300}; {again}")) from None


@cache  # once, although `ui` opens the store again and again
def _announce(uri: str) -> None:
    echo(f"writing to MLflow at {redact_credentials(uri)}")


def _set_variables(uri: str) -> None:
    """Remove the MLflow variables that are meant for other programs, and add our own."""
    for name in [name for name in os.environ if "MLFLOW_" in name]:
        if name.endswith(NOT_FOR_SERVER) if is_server(uri) else name not in OWN_DATABASE:
            del os.environ[name]
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
