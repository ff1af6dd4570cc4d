"""A page on this machine where one draws a digit and sees its probabilities: `make demo`, or `python -m tools.demo`.

Reads data/model.safetensors. The page listens on 127.0.0.1 alone, and neither it nor the server asks another host for
anything.
"""

import argparse
import base64
import io
import os
from typing import Any

from PIL import Image

from pipeline.errors import UserError
from tools.command import command
from tools.digit.image import FORMATS, to_mnist_form

HOST = "127.0.0.1"
# Read by gradio and httpx: no telemetry, no look for newer versions, and no proxy on the way to the page.
ENVIRONMENT = {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_OFFLINE": "1", "NO_PROXY": HOST, "no_proxy": HOST}

CANVAS = """
<canvas width="280" height="280" style="width: 280px; border: 1px solid #999; touch-action: none; cursor: crosshair">
</canvas><br><button type="button" style="border: 1px solid #999; padding: 2px 12px; margin-top: 8px">Clear</button>
"""
DRAW = """
const canvas = element.querySelector("canvas");
const pen = canvas.getContext("2d");
const clear = () => { pen.fillStyle = "white"; pen.fillRect(0, 0, canvas.width, canvas.height); };
Object.assign(pen, {lineWidth: 20, lineCap: "round", lineJoin: "round"});
clear();
let drawing = false;
canvas.addEventListener("pointerdown", (event) => {
  drawing = true;
  canvas.setPointerCapture(event.pointerId);
  pen.beginPath();
  pen.moveTo(event.offsetX, event.offsetY);
});
canvas.addEventListener("pointermove", (event) => {
  if (!drawing) return;
  pen.lineTo(event.offsetX, event.offsetY);
  pen.stroke();
});
canvas.addEventListener("pointerup", () => {
  drawing = false;
  trigger("submit", {image: canvas.toDataURL("image/png")});
});
element.querySelector("button").addEventListener("click", () => { clear(); trigger("clear"); });
"""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.demo", description="Draw a digit, see its probabilities.")
    parser.add_argument("--port", type=int, help="default: the first free one from 7860 on")
    port = parser.parse_args().port
    os.environ.update(ENVIRONMENT)
    with command("demo"):
        app = build_app()
        launch(app, port)
        print(f"draw at {app.local_url}  (Ctrl-C ends it)", flush=True)
        app.block_thread()


def build_app() -> Any:
    """Return the page, a `gradio.Blocks`.

    Raises:
        UserError: gradio is not installed, or data/model.safetensors is missing or cannot be used.
    """
    try:
        import gradio  # Takes seconds, as torch does, which --help need not.
    except ModuleNotFoundError as error:
        raise UserError(f"{error.name} is not installed: run `make demo`") from None
    from tools.digit.classifier import Classifier

    classifier = Classifier()

    def classify(event: gradio.EventData) -> dict[str, float]:
        try:
            digit = to_mnist_form(decode(event.image))
        except UserError as error:
            raise gradio.Error(f"This {error}.", print_exception=False) from None
        probabilities = classifier.probabilities(digit[None])[0]
        return {str(digit): float(probability) for digit, probability in enumerate(probabilities)}

    with gradio.Blocks(title="Draw a digit", analytics_enabled=False) as app, gradio.Row():
        canvas = gradio.HTML(html_template=CANVAS, js_on_load=DRAW, min_width=300)
        answer = gradio.Label(label="Probabilities", num_top_classes=10)
        canvas.submit(classify, outputs=answer, api_visibility="private")
        canvas.clear(lambda: None, outputs=answer, api_visibility="private")
    return app


def launch(app: Any, port: int | None) -> None:
    """Let the page listen; raise UserError if the port cannot be used."""
    options = {"share": False, "ssr_mode": False, "quiet": True, "footer_links": [], "prevent_thread_lock": True}
    try:
        app.launch(server_name=HOST, server_port=port, **options)
    except (OSError, OverflowError):
        raise UserError(
            f"port {port} cannot be used; name another with --port, or none to take one that is free"
        ) from None


def decode(data_url: str) -> Image.Image:
    """Return the image in a `data:` URL, as the canvas gives it."""
    return Image.open(io.BytesIO(base64.b64decode(data_url.partition(",")[2])), formats=FORMATS)


if __name__ == "__main__":
    main()
