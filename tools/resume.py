"""Lets a training that was made elsewhere be made longer here: `python -m tools.resume`, after `dvc pull`.

It fills data/.resume from the outputs in the workspace; `python -m tools.share pull` does so by itself.
"""

import argparse

from pipeline.errors import UserError
from tools.command import command


def main() -> None:
    description = "Fill data/.resume from a training's outputs."
    argparse.ArgumentParser(prog="python -m tools.resume", description=description).parse_args()
    from tools.store.resume import fill_history  # Imports torch, which --help does not need.

    with command("resume"):
        try:
            done = fill_history()
        except OSError as error:  # A full disk, or a file that may not be read or written.
            raise UserError(f"{error}: put that right, and run it again") from None
        print(f"resume: {done}")


if __name__ == "__main__":
    main()
