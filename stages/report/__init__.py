"""Show the results: figures, a page, a model card."""
