"""Measure time and memory, compare other implementations, and profile the loop."""
