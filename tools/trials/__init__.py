"""Trials of a sweep: what they are, where they run, and what they gave."""
