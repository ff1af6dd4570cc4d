"""Lets a training that was made elsewhere be made longer here: `python -m tools.resume`, after `dvc pull`.

It fills data/.resume from the outputs in the workspace; `python -m tools.share pull` does so by itself.
"""

import argparse

from tools.command import command


def main() -> None:
    description = "Fill data/.resume from a training's outputs."
    argparse.ArgumentParser(prog="python -m tools.resume", description=description).parse_args()
    from tools.store.resume import fill_history  # Imports torch, which --help does not need.

    with command("resume"):
        print(f"resume: {fill_history()}")


if __name__ == "__main__":
    main()
