"""Evaluate the trained models."""
