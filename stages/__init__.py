"""The stages of dvc.yaml, each run as ``python -m stages.<name>`` from the root."""
