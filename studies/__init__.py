"""Measurements of the pipeline itself; none of them is needed to run it."""
