"""Search for the best settings, on one machine or many."""
