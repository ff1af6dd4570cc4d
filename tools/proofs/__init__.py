"""Checks single epochs of a training, and finds where two trainings part."""
