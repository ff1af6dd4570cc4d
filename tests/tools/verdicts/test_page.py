"""A sweep's page shows every run and every verdict, without a network, on a phone and in the dark."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page

from pipeline.errors import UserError
from tests import ROOT
from tests.runs import make_runs
from tests.stages.test_page import luminance, open_offline
from tests.tiny import SEED, tiny_images, write_tiny_dataset
from tools.verdicts.page import write_page

NUM_RUNS = 5
LABELS = tiny_images(200, seed=SEED + 1)[1].astype(np.int64)
HIGH, LOW = [0.95, 0.96, 0.965, 0.955, 0.94], [0.9, 0.91, 0.92, 0.905, 0.915]
RUNS = [
    *make_runs("demo", HIGH, LABELS, validation=LOW),
    *make_runs("demo", LOW, LABELS, ("recipes.demo.batch_size=64",), validation=LOW),
]


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of two groups of 5 runs; in data/raw lie their test images."""
    folder = tmp_path_factory.mktemp("sweep")
    for name in ("stages", "tools"):
        (folder / name).symlink_to(ROOT / name)
    write_tiny_dataset(folder / "data/raw/MNIST/raw")
    with pytest.MonkeyPatch.context() as context:
        context.chdir(folder)
        write_page(RUNS, Path("sweep.html"))
    return folder / "sweep.html"


@pytest.fixture
def page(browser: Browser, sweep: Path) -> Iterator[Page]:
    with open_offline(browser, sweep, ("runs-test_accuracy", "pairs-validation_accuracy", "curves-1")) as page:
        yield page


def test_every_run_is_a_dot_and_a_curve(page: Page) -> None:
    for metric in ("test_accuracy", "validation_accuracy"):
        marks = f"#runs-{metric} svg .mark-symbol.role-mark"
        assert page.locator(f"{marks} path").count() == 2 * NUM_RUNS + 2, "the runs, and the mean of each group"
        assert page.locator(f"#runs-{metric} svg .mark-rule.role-mark line").count() == 2, "the means' intervals"
        assert page.locator(f"#pairs-{metric} svg .mark-rule.role-mark line").count() == 2, "zero and the interval"
    for number in range(2):
        assert page.locator(f"#curves-{number} svg [aria-roledescription='line mark']").count() == NUM_RUNS


def test_page_says_the_verdicts(page: Page) -> None:
    assert page.inner_text(".headline") == "not decided by 5 + 5 seeds", "by validation accuracy"
    text = " ".join(page.inner_text("main").split())
    assert "By test accuracy, which tells how good the choice is: demo is better than demo batch_size=64." in text
    assert page.locator("td.better").inner_text() == "better"
    assert "need not be equal" in text
    assert "95.40 %" in text
    assert page.locator("details tr").count() == 1 + 2 * NUM_RUNS


def test_images_that_every_run_gets_wrong_are_shown(page: Page) -> None:
    text = page.inner_text("main")
    assert "Wrong in all 10 runs: 7" in text
    assert "Seeds disagree: 9" in text
    sizes = page.eval_on_selector_all("img", "images => images.map(image => image.naturalWidth)")
    assert sizes == [28] * (7 + 9)
    assert all(page.eval_on_selector_all("img", "images => images.map(image => image.alt)"))


@pytest.mark.parametrize("width", [360, 1400])
def test_page_fits_the_screen(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.wait_for_function(
        "() => [...document.querySelectorAll('svg')].every(chart => chart.clientWidth <= innerWidth)"
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    fonts = page.eval_on_selector_all(
        "svg text", "texts => texts.map(text => parseFloat(getComputedStyle(text).fontSize))"
    )
    assert min(fonts) >= 11


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_stand_out_from_the_page_by_day_and_night(page: Page, scheme: str) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    paper = luminance(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert (paper < 0.1) == (scheme == "dark")
    for selector, style in (("dd", "color"), ("td.better", "color"), ("#pairs-test_accuracy svg text", "fill")):
        text = luminance(page.eval_on_selector(selector, f"element => getComputedStyle(element).{style}"))
        lighter, darker = max(text, paper), min(text, paper)
        assert (lighter + 0.05) / (darker + 0.05) >= 4.5, (selector, "WCAG 2.2, 1.4.3")


def test_page_without_scripts_says_what_the_charts_show(browser: Browser, sweep: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(sweep.as_uri())
    text = page.inner_text("main")
    context.close()
    assert "Test accuracy of all runs: demo, mean 95.40 %; demo batch_size=64, mean 91.00 %." in text
    assert "Differences of the means: demo against demo batch_size=64, better, +4.400." in text
    assert "Error of demo by epoch, 5 runs: " in text


def test_page_is_small_and_the_same_bytes_every_time(sweep: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(sweep.parent)
    assert sweep.stat().st_size < 1_000_000
    write_page(RUNS, Path("again.html"))
    assert Path("again.html").read_bytes() == sweep.read_bytes()


def test_sweep_without_validation_pictures_or_pairs_has_a_page(sweep: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(sweep.parent)
    write_page(make_runs("fast", [1.0], LABELS[::-1]), Path("one.html"))
    text = Path("one.html").read_text(encoding="utf-8")
    assert '<p class="headline">100.00 %</p>' in text
    assert "data/raw does not have these images" in text
    assert "<h2>Pairs</h2>" not in text


def test_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no trial has finished"):
        write_page([], tmp_path / "sweep.html")
