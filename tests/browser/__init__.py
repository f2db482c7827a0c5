"""Tests in a browser; a package, because tests/ has modules of the same names."""
