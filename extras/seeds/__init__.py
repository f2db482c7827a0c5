"""Train every run with many seeds, to measure the variation that the gate compares a run with."""
