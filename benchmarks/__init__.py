"""How long it takes, measured side by side: what `make bench` runs."""
