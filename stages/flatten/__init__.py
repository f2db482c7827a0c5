"""Make the splits from the raw files."""
