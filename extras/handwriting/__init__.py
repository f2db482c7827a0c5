"""Digits from pictures: a command, a page to draw on, and what they achieve."""
