"""Measure time and memory of the pipeline, and compare it with other implementations."""
