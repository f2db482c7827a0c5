"""Read digits from your own pictures."""
