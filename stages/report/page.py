"""The page: results, charts and pictures in one HTML file."""

import base64
import math
from pathlib import Path
from typing import Any

import vl_convert
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from mnist.paths import METRICS

LAYOUT, TEMPLATE = Path("stages/report/layout.html.jinja"), Path("stages/report/report.html.jinja")
PICTURES = {name: METRICS / f"{name}.png" for name in ("mistakes", "samples", "augmented", "filters")}


def render(template: Path, **values: Any) -> str:
    """Return the page of a template that fills the layout; every text in `values` is escaped, `charts` are drawn."""
    environment = Environment(
        loader=FileSystemLoader("."), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    vega = Markup(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;"))
    page = environment.get_template(template.as_posix())
    return page.render(percent=percent, number=number, vega=vega, **values) + "\n"


def embed_picture(name: str) -> str:
    """Return one of the report's pictures as an address that needs no other file."""
    return embed(PICTURES[name].read_bytes())


def embed(png: bytes) -> str:
    """Return the content of a PNG file as an address that needs no other file."""
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def percent(fraction: float) -> str:
    """Return a fraction as the page shows it."""
    return f"{100 * fraction:.2f} %"


def number(value: float) -> str:
    """Return a loss or accuracy as the page's table shows it; nothing for NaN."""
    return "" if math.isnan(value) else f"{value:.4f}"
