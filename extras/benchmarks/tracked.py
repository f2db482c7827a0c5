"""Track one run with so many costs in a new MLflow store.

    python -m extras.benchmarks.tracked 100000

What `python -m stages.track` does for it, without the report's pictures. The run is the first of
params.yaml, with its costs repeated.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from common.command_line import argument_parser
from stages.track import provenance
from stages.track import runs as records
from stages.track.mlflow_store import open_store


def main() -> None:
    """Read the argument and the files, and track."""
    parser = argument_parser("extras.benchmarks.tracked", __doc__)
    parser.add_argument("costs", type=int, help="how many")
    arguments = parser.parse_args()
    record = next(records.gather(records.from_folder(Path())))
    result = record.result.model_copy(update={"iterations": arguments.costs})
    changed = replace(record, result=result, costs=np.resize(record.costs, arguments.costs))
    with tempfile.TemporaryDirectory() as folder, open_store(Path(folder)) as store:
        store.add(changed, provenance.here(), None)


if __name__ == "__main__":
    main()
