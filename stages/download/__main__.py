"""Brings the four idx files of the chosen data set into data/raw, genuine and whole, or leaves it as it was.

Reads params.yaml (data.dataset), pyproject.toml (torchvision's version) and data/checksums.txt; writes data/raw.
"""

from pipeline.start import DEPS  # isort: skip

from mnist.dataset import TEST_IMAGES, TEST_LABELS, TRAINING_IMAGES, TRAINING_LABELS, DatasetName
from mnist.idx import parse_images, parse_labels
from mnist.paths import RAW_DATA
from pipeline.files import replace_folder
from pipeline.stage import stage
from stages.download.genuine import list_raw
from stages.download.sources import fetch


def main() -> None:
    with stage(DEPS) as inputs:
        dataset: DatasetName = inputs.param("data.dataset", DatasetName)
        inputs.versions("sources")
        files = fetch(dataset)
        for images_name, labels_name in ((TRAINING_IMAGES, TRAINING_LABELS), (TEST_IMAGES, TEST_LABELS)):
            images = parse_images(files[images_name], images_name)
            parse_labels(files[labels_name], labels_name, len(images))
        inputs.verify_unchanged()
        replace_folder(RAW_DATA, list_raw(dataset, files))


if __name__ == "__main__":
    main()
