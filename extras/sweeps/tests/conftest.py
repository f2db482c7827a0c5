"""A sweep file for the tests."""

from typing import Any

import pytest


@pytest.fixture
def document() -> dict[str, Any]:
    """Return the content of a sweep file: two grid points, two seeds, eight trials."""
    return {
        "run": "short",
        "parameters": {
            "train.learning_rate": {"loguniform": [1e-4, 1e-1]},
            "train.batch_size": {"grid_search": [16, 32]},
        },
        "trials": 4,
        "seeds": 2,
        "draw_seed": 1,
        "scheduler": "none",
        "validate_every_iterations": 10,
        "resources": {"cpus": 1, "memory_megabytes": 100},
    }
