"""Train every run with many seeds: how much a result varies, and what the gate compares with."""
