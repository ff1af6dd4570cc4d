"""Scores the checkpoints and chooses the best."""
