"""A page on this machine where one draws a digit and sees its probabilities: `make demo`, or `python -m tools.demo`.

Reads data/model.safetensors, writes nothing, and asks no other host for anything.
"""

import argparse

from tools.command import command


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.demo", description="Draw a digit, see its probabilities.")
    parser.add_argument("--port", type=int, help="default: the first free one from 7860 on")
    port = parser.parse_args().port
    from tools.digit.classifier import Classifier  # Imports torch, which --help does not need.
    from tools.digit.server import listen

    with command("demo"):
        server = listen(Classifier(), port)
        print(f"draw at {server.address}/  (Ctrl-C ends it)", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
