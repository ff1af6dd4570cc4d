"""Measurements, each beside its counterpart in the same run: `make bench`, or `make bench QUICK=1`."""
