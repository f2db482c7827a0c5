"""Settings for the synthetic dataset, with short runs."""

import hashlib
from pathlib import Path
from typing import Any

import yaml

from support.yaml_file import read_yaml
from tests.synthetic import DESCRIPTION, make_raw_files

ROOT = Path(__file__).parents[1]
# The training makes calls of 100; each other length of a call would be compiled again.
ITERATIONS = {"short": 20, "long": 200}
# A format may have one file only, but what fetches the files is tested with several.
RAW_FILES = make_raw_files() | {"README.txt": b"This file is not read by flatten.\n" * 9}


def entry(*sources: dict[str, Any] | str) -> dict[str, Any]:
    """Return the dataset as in datasets.yaml; a string is the URL or path of a source."""
    return {
        "title": "Synthetic examples",
        "homepage": "https://example.org/",
        "licence": "CC0",
        "citation": "Nobody.",
        "classes": list(DESCRIPTION.classes),
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in RAW_FILES.items()},
        "sources": [{"url": source} if isinstance(source, str) else source for source in sources],
    }


def synthetic_params() -> dict[str, Any]:
    """Return the project's params.yaml with the synthetic dataset and short runs."""
    params = read_yaml(ROOT / "params.yaml")
    params["dataset"] = "synthetic"
    params["flatten"]["validation_examples"] = DESCRIPTION.examples["validation"]
    params["runs"] = {
        name: {"iterations": iterations, "min_test_accuracy": 0.0}
        for name, iterations in ITERATIONS.items()
    }
    return params


def write_yaml(path: Path, document: object) -> None:
    """Write a YAML file, with the names in their order."""
    path.write_text(yaml.safe_dump(document, sort_keys=False, allow_unicode=True), "utf-8")
