"""What lies in DVC's cache, on remotes and in the run-cache, and what dvc.lock says of it."""
