"""Where the MLflow store is, and a look into it without MLflow, which takes a second to start.

The look knows MLflow's tables, so it is only trusted where the database has the very schema of
the MLflow that is installed; in any doubt MLflow itself is asked.
"""

from __future__ import annotations

import os
import sqlite3
from collections import Counter
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

DATABASE = "mlflow.db"
ARTIFACTS = "mlartifacts"
MIGRATIONS = "store/db_migrations/versions"
# What Python and MLflow write beside a model where it is loaded from this very folder.
LOADED = {"__pycache__", "registered_model_meta"}

# Runs that the pages show, whole or not.
PRESENT = """
    SELECT tags.value FROM tags JOIN runs ON runs.run_uuid = tags.run_uuid
    WHERE tags.key = 'digest' AND runs.lifecycle_stage = 'active'
"""

# Whole runs: finished, with a registered model, and a champion if one can be.
WHOLE = """
    SELECT digest.value, artifacts.value, runs.artifact_uri, logged_models.artifact_location
    FROM runs
    JOIN experiments ON experiments.experiment_id = runs.experiment_id
    JOIN tags AS digest ON digest.run_uuid = runs.run_uuid AND digest.key = 'digest'
    JOIN tags AS artifacts ON artifacts.run_uuid = runs.run_uuid AND artifacts.key = 'artifacts'
    JOIN logged_models ON logged_models.source_run_id = runs.run_uuid
    JOIN model_versions ON model_versions.run_id = runs.run_uuid
    JOIN model_version_tags AS passes
        ON passes.name = model_versions.name AND passes.version = model_versions.version
        AND passes.key = 'passes'
    WHERE runs.status = 'FINISHED' AND runs.lifecycle_stage = 'active'
    AND experiments.lifecycle_stage = 'active' AND experiments.artifact_location = ?
    AND logged_models.lifecycle_stage = 'active'
    AND model_versions.current_stage != 'Deleted_Internal'
    AND (passes.value = 'false' OR EXISTS (
        SELECT 1 FROM registered_model_aliases AS aliases
        WHERE aliases.name = model_versions.name AND aliases.alias = 'champion'))
"""


def address(root: Path) -> str:
    """Give the store's address: `MLFLOW_TRACKING_URI`, or a database in the repository."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{root / DATABASE}"


def artifacts(root: Path) -> str:
    """Give the address of the folder that keeps models and pictures beside the database."""
    return (root / ARTIFACTS).as_uri()


def whole(root: Path) -> set[str]:
    """Give the digests of the runs that the repository's database has whole, and once.

    Returns
    -------
    set of str
        Empty where that is not the store, or is none that can be read here: MLflow then tells.
    """
    if address(root) != f"sqlite:///{root / DATABASE}" or not (root / DATABASE).exists():
        return set()
    read_only = (root / DATABASE).as_uri() + "?mode=ro"
    try:
        with closing(sqlite3.connect(read_only, uri=True)) as database:
            (schema,) = database.execute("SELECT version_num FROM alembic_version").fetchone()
            present = Counter(digest for (digest,) in database.execute(PRESENT))
            runs = database.execute(WHOLE, [artifacts(root)]).fetchall()
    except (sqlite3.Error, TypeError):
        return set()
    if not _is_current(schema):
        return set()
    return {
        digest
        for digest, files, *folders in runs
        if present[digest] == 1 and str(sum(map(_files, folders))) == files
    }


def _is_current(schema: str) -> bool:
    """Tell whether a schema is the newest that the MLflow installed knows.

    A migration names its own revision and the one below it; so only the newest is named once.
    """
    package = find_spec("mlflow")
    folder = Path(package.origin or "").parent / MIGRATIONS if package else Path()
    named = sum(
        path.read_text(encoding="utf-8").count(f'revision = "{schema}"')
        for path in folder.glob("*.py")
    )
    return named == 1


def _files(location: str) -> int:
    folder = Path(url2pathname(urlsplit(location).path))
    return sum(
        path.is_file() and LOADED.isdisjoint(path.relative_to(folder).parts)
        for path in folder.rglob("*")
    )
