"""Commands for people, run as `python -m tools.<name>`."""
