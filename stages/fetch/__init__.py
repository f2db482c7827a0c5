"""Get the raw files of the dataset."""
