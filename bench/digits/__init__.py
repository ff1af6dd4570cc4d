"""Pictures of single digits, and of none, as `tools.predict` takes them: `python -m bench.digits`."""
