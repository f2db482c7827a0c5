"""Measure what the trained models achieve."""
