"""What `dvc plots` draws: every table once, and two commits so that they can be compared on one screen."""

from collections.abc import Iterator

import pandas as pd
import pytest
import vl_convert
from playwright.sync_api import Browser, Page, Route

from stages.report.page import PICTURES
from tests.project import Project

COMMITS = ("HEAD~1", "HEAD")
# What the tests give them: losses of which the second's are flat beside the first's, and errors of class 7.
LOSSES = {"HEAD~1": [400.0, 40.0, 0.0], "HEAD": [0.3, 0.03, 0.02]}
ERRORS = {"HEAD~1": 30, "HEAD": 3}
# DVC's page loads its library from a server. Here it gets the report's, told to draw what a test can look into.
LIBRARY = vl_convert.javascript_bundle("window.vegaEmbed = (id, chart) => vegaEmbed(id, chart, {renderer: 'svg'});")


@pytest.fixture(scope="module")
def compared(trained_template: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project with two commits, compared by `dvc plots diff`."""
    project = trained_template.copy(tmp_path_factory.mktemp("plots") / "copy")
    train, classes = project.folder / "metrics/train.csv", project.folder / "metrics/classes.csv"
    for commit in COMMITS:
        pd.read_csv(train).assign(validation_loss=LOSSES[commit]).to_csv(train, index=False)
        recall = [1 - ERRORS[commit] / 1000 if label == 7 else 1.0 for label in range(10)]
        pd.DataFrame({"label": range(10), "num_images": 1000, "recall": recall}).to_csv(classes, index=False)
        project.commit()
    project.run("dvc", "plots", "diff", *COMMITS)
    assert project.run("git", "status", "--porcelain").stdout == ""
    return project


@pytest.fixture
def page(browser: Browser, compared: Project) -> Iterator[Page]:
    """DVC's page on a screen of 1,400 pixels."""
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    page = context.new_page()

    def answer(route: Route) -> None:
        route.fulfill(body=LIBRARY if "vega-embed" in route.request.url else "", content_type="text/javascript")

    page.route("https://**/*", answer)
    page.goto((compared.folder / "dvc_plots/index.html").as_uri())
    page.wait_for_function("document.querySelectorAll('svg.marks').length == 4")
    yield page
    context.close()


def test_every_table_is_one_chart(page: Page) -> None:
    titles = page.locator(".role-title-text text").all_text_contents()
    assert sorted(title for title in titles if title not in COMMITS) == [
        "Errors on the test images by class",
        "Test accuracy by epoch",
        "Test images by label and prediction",
        "Validation loss by epoch",
    ]


def test_small_loss_is_no_flat_line_beside_a_large_one(page: Page) -> None:
    chart = page.locator(".vega-embed", has_text="Validation loss")
    lines = chart.locator("[aria-roledescription='line mark']").all()
    heights = [box["height"] for line in lines if (box := line.bounding_box())]
    assert len(heights) == 2
    assert min(heights) > 50
    assert chart.locator("[aria-roledescription='point']").count() == 5, "zero has no place on a logarithmic scale"


def test_errors_of_a_class_are_counted(page: Page) -> None:
    bars = page.locator(".vega-embed", has_text="Errors on").locator("[aria-roledescription='bar']")
    labels = [bar.get_attribute("aria-label") or "" for bar in bars.all()]
    assert [label for label in labels if "errors: 0" not in label] == [
        f"errors: {ERRORS[commit]}; label: 7; rev: {commit}; recall: {1 - ERRORS[commit] / 1000}" for commit in ERRORS
    ]


def test_pictures_of_two_commits_are_on_one_screen(page: Page) -> None:
    names = page.eval_on_selector_all("img", "images => images.map(image => image.src.split('/').pop())")
    assert sorted(names) == sorted(f"{commit}_metrics_{path.name}" for commit in COMMITS for path in PICTURES.values())
    right = page.eval_on_selector_all("img", "images => images.map(image => image.getBoundingClientRect().right)")
    assert max(right) <= 1400
