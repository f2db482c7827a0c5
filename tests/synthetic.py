"""A small dataset in IDX format, and settings for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from common.atomic import sha256
from common.datasets import DatasetSpec
from common.yaml_file import read_yaml

ROOT = Path(__file__).parents[1]
CLASSES = 4
SHAPE = (6, 5)
PIXELS = SHAPE[0] * SHAPE[1]
TRAIN_IMAGES, VALIDATION_IMAGES, TEST_IMAGES = 600, 100, 200
ITERATIONS = {"short": 30, "long": 120}


def idx(values: NDArray[np.uint8]) -> bytes:
    """Return an IDX file, made with the standard library only."""
    header = bytes([0, 0, 8, values.ndim])
    return header + b"".join(n.to_bytes(4, "big") for n in values.shape) + values.tobytes()


def raw_files(classes: int, shape: tuple[int, int]) -> dict[str, bytes]:
    """Return the four files: noisy copies of one image per class, the same every time."""
    random = np.random.default_rng(0)
    prototypes = random.integers(0, 106, (classes, *shape))
    files = {}
    for part, images in (("train", TRAIN_IMAGES), ("t10k", TEST_IMAGES)):
        labels = random.integers(0, classes, images)
        noise = random.integers(0, 150, (images, *shape))
        files[f"{part}-images-idx3-ubyte"] = idx((prototypes[labels] + noise).astype(np.uint8))
        files[f"{part}-labels-idx1-ubyte"] = idx(labels.astype(np.uint8))
    return files


RAW_FILES = raw_files(CLASSES, SHAPE)


def entry(*sources: dict[str, Any] | str) -> dict[str, Any]:
    """Return the dataset as in datasets.yaml; a string is the URL or path of a source."""
    return {
        "title": "Synthetic images",
        "homepage": "https://example.org/",
        "licence": "CC0",
        "citation": "Nobody.",
        "classes": [str(label) for label in range(CLASSES)],
        "files": {name: sha256(content) for name, content in RAW_FILES.items()},
        "sources": [{"url": source} if isinstance(source, str) else source for source in sources],
    }


def dataset(*sources: dict[str, Any] | str) -> DatasetSpec:
    """Return the synthetic dataset with these sources."""
    return DatasetSpec.model_validate(entry(*sources))


def synthetic_params() -> dict[str, Any]:
    """Return the project's params.yaml with the synthetic dataset and short runs."""
    params = read_yaml(ROOT / "params.yaml")
    params["dataset"] = "synthetic"
    params["flatten"]["validation_examples"] = VALIDATION_IMAGES
    params["runs"] = {
        name: {"iterations": iterations, "min_test_accuracy": 0.0}
        for name, iterations in ITERATIONS.items()
    }
    return params


def write_yaml(path: Path, document: object) -> None:
    """Write a YAML file, with the names in their order."""
    path.write_text(yaml.safe_dump(document, sort_keys=False, allow_unicode=True), "utf-8")
