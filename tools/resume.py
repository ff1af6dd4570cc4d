"""Lets a training that was made elsewhere go on here, behind any epoch: `python -m tools.resume`, after `dvc pull`.

It fills data/.resume from the outputs in the workspace; `python -m tools.share pull` does so by itself.
"""

import argparse

from pipeline.errors import UserError
from tools.command import command
from tools.store.resume import fill_history


def main() -> None:
    description = "Fill data/.resume from a training's outputs."
    argparse.ArgumentParser(prog="python -m tools.resume", description=description).parse_args()
    with command("resume"):
        try:
            done = fill_history()
        except OSError as error:  # A full disk, or a file that may not be read or written.
            raise UserError(f"{error}: put that right, and run it again") from None
        print(f"resume: {done or 'all epochs are kept here already'}")


if __name__ == "__main__":
    main()
