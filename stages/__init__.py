"""The stages of the pipeline, each run as ``python -m stages.<name>`` from the root."""
