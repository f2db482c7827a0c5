"""Measure times and memory beside other ways of doing the same, and profile the loop."""
