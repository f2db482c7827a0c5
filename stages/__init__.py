"""The stages of dvc.yaml, each run as ``python -m stages.<name>`` from the root."""

import sys
from pathlib import Path
from types import TracebackType

import common  # noqa: F401 - before all others: it checks that the packages are installed
from support.files import repository


def _explain(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Report an import that fails because a temporary experiment lacks what git does not track."""
    if isinstance(error, ImportError) and Path.cwd() != repository():
        reason = "a temporary experiment has only the files that git tracks: `git add` new ones"
        sys.stderr.write(f"error: {error}; {reason}\n")
    else:
        sys.__excepthook__(kind, error, trace)


sys.excepthook = _explain
