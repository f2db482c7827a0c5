"""Bring MLflow up to date with the files."""
