"""Commands that read results and feed no stage."""
