"""The report is one page that shows everything, without a network, on a phone and in the dark."""

import io
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.image import imread
from playwright.sync_api import Browser, Page

from pipeline.files import sha256_of
from stages.report.page import PICTURES, number, percent
from tests import ROOT
from tests.project import Project

CHARTS = ("loss", "accuracy", "confusion")


@pytest.fixture(scope="module")
def report(trained_template: Project) -> Path:
    return trained_template.folder / "metrics/report.html"


@contextmanager
def open_offline(browser: Browser, path: Path, charts: Sequence[str]) -> Iterator[Page]:
    """A file in a browser without network, with its charts drawn; whatever it complains about or asks for fails."""
    context = browser.new_context(offline=True)
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: complaints.append(request.url) if request.url.startswith("http") else None)
    page.goto(path.as_uri())
    for chart in charts:
        page.wait_for_selector(f"#{chart} svg")
    yield page
    context.close()
    assert complaints == []


@pytest.fixture
def page(browser: Browser, report: Path) -> Iterator[Page]:
    with open_offline(browser, report, CHARTS) as page:
        yield page


def test_every_chart_and_picture_is_shown(page: Page) -> None:
    for chart in CHARTS:
        box = page.locator(f"#{chart} svg").bounding_box()
        assert box is not None
        assert box["width"] > 200
        assert box["height"] > 200
    assert page.locator("#accuracy svg [aria-roledescription='line mark container'] path").count() == 2
    assert page.locator("#confusion svg [aria-roledescription='rect mark container'] path").count() == 100
    sizes = page.eval_on_selector_all("img", "images => images.map(image => image.naturalWidth)")
    assert len(sizes) == len(PICTURES)
    assert all(size > 100 for size in sizes)


def test_page_says_the_numbers_of_the_metrics(page: Page, trained_template: Project) -> None:
    metrics = pd.read_json(trained_template.folder / "metrics/evaluate.json", typ="series")
    text = page.inner_text("main")
    assert percent(metrics["test_accuracy"]) in page.inner_text(".headline")
    assert f"{metrics['test_errors']:.0f} errors" in text
    assert f"{percent(metrics['test_accuracy_low'])} to {percent(metrics['test_accuracy_high'])}" in " ".join(
        text.split()
    )
    assert "optimizer.learning_rate" in text
    assert "split_seed" in text
    assert "torch" in text
    assert "32,634 parameters and learned from 500 training images" in text
    assert "of 200 test images" in text
    assert "100 validation images" in text
    assert sha256_of((trained_template.folder / "data/model.safetensors").read_bytes()) in text
    assert page.locator("tr.chosen td").first.text_content() == f"{metrics['best_epoch']:.0f}"


@pytest.mark.parametrize("width", [360, 400, 1400])
def test_page_fits_the_screen(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.wait_for_function("() => document.querySelector('#loss svg').getBoundingClientRect().width <= innerWidth")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_labels_are_legible_on_a_phone(page: Page) -> None:
    page.set_viewport_size({"width": 400, "height": 900})
    sizes = page.eval_on_selector_all("img", "images => images.map(image => [image.width, image.naturalWidth])")
    assert all(shown == drawn for shown, drawn in sizes), "a picture is scrolled, not shrunk"
    fonts = page.eval_on_selector_all(
        "svg text", "texts => texts.map(text => parseFloat(getComputedStyle(text).fontSize))"
    )
    assert min(fonts) >= 11


def test_pictures_are_dark_in_the_dark(page: Page) -> None:
    paper = {}
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        shots = [imread(io.BytesIO(image.screenshot())) for image in page.locator("img").all()]
        paper[scheme] = [float(np.median(shot[:, :, :3])) for shot in shots]
    assert len(paper["dark"]) == len(PICTURES)
    assert min(paper["light"]) > 0.8
    assert max(paper["dark"]) < 0.2


def test_page_without_scripts_says_what_the_charts_show(browser: Browser, report: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(report.as_uri())
    text = page.inner_text("main")
    context.close()
    assert "The charts need JavaScript" in text
    for beginning in ("Cross entropy by epoch: training", "Accuracy by epoch: validation", "Confusion matrix of"):
        assert beginning in text


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_stand_out_from_the_page_by_day_and_night(page: Page, scheme: str) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    paper = luminance(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert (paper < 0.1) == (scheme == "dark")
    for selector, style in (("body", "color"), ("figcaption", "color"), ("#loss svg text", "fill")):
        text = luminance(page.eval_on_selector(selector, f"element => getComputedStyle(element).{style}"))
        lighter, darker = max(text, paper), min(text, paper)
        assert (lighter + 0.05) / (darker + 0.05) >= 4.5, (selector, "WCAG 2.2, 1.4.3")


def luminance(colour: str) -> float:
    """The relative luminance, 0 to 1, of `rgb(r, g, b)`. Source: WCAG 2.2, definition of relative luminance."""
    channels = [int(channel) / 255 for channel in re.findall(r"\d+", colour)[:3]]
    linear = [channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4 for channel in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_charts_and_pictures_have_a_text_alternative(page: Page) -> None:
    assert all(page.eval_on_selector_all("img", "images => images.map(image => image.alt)"))
    for chart in CHARTS:
        assert page.get_attribute(f"#{chart} svg", "aria-label") or page.get_attribute(f"#{chart}", "aria-label")


def test_report_again_is_the_same_bytes(project: Project) -> None:
    before = project.results()
    for stage in ("illustrate", "report"):
        project.run("python", "-m", f"stages.{stage}")
    assert project.results() == before


def test_report_of_the_notes_claims_no_distortion_and_compares_no_losses(project: Project, browser: Browser) -> None:
    project.set_param("recipe", "notes")
    project.repro()
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((project.folder / "metrics/report.html").as_uri())
    text, names = page.inner_text("main"), page.eval_on_selector_all("img", "images => images.map(image => image.alt)")
    context.close()
    assert "This recipe trains on the images as they are." in text
    assert "distorted" not in text
    assert "turned" not in text
    assert "Training loss by epoch: training goes from" in text
    assert "Cross entropy by epoch: validation goes from" in text
    assert len(names) == len(PICTURES) - 1


def test_numbers_have_a_fixed_form() -> None:
    assert (percent(0.99264), number(0.5), number(float("nan"))) == ("99.26 %", "0.5000", "")


def test_report_does_not_import_torch() -> None:
    program = """
import sys
sys.argv = ["stages/report/__main__.py"]
import stages.report.__main__
print("torch" in sys.modules)
"""
    loaded = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert loaded.stdout == "False\n"
