"""Brings the files of the data set."""
