"""The page: results, charts and pictures in one HTML file."""

import base64
import math
from pathlib import Path
from typing import Any

import vl_convert
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from mnist.paths import METRICS

TEMPLATE = Path("stages/report/report.html.jinja")
PICTURES = {name: METRICS / f"{name}.png" for name in ("mistakes", "samples", "augmented", "filters")}


def render(**values: Any) -> str:
    """Return the page; every text in `values` is escaped."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    vega = Markup(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;"))
    return template.render(percent=percent, number=number, vega=vega, **values) + "\n"


def embed_picture(name: str) -> str:
    """Return a picture as an address that needs no other file."""
    return f"data:image/png;base64,{base64.b64encode(PICTURES[name].read_bytes()).decode()}"


def percent(fraction: float) -> str:
    """Return a fraction as the page shows it."""
    return f"{100 * fraction:.2f} %"


def number(value: float) -> str:
    """Return a loss or accuracy as the page's table shows it; nothing for NaN."""
    return "" if math.isnan(value) else f"{value:.4f}"
