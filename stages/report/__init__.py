"""Writes the page with all results."""
