"""Compare the bytes of one training between processors."""
