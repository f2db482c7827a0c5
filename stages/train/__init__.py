"""Train the model."""
