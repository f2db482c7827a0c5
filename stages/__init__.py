"""The stages of dvc.yaml, each run as ``python -m stages.<name>`` from the root."""

import common  # noqa: F401 - before all others: it checks that the packages are installed
