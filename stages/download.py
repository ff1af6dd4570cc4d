"""Brings the four idx files of the chosen data set into data/raw, genuine and whole, or leaves it as it was.

Reads params.yaml (data.dataset) and data/checksums.txt; writes data/raw.
"""

from mnist.dataset import FILES, FOLDERS, RAW_DATA, TEST_IMAGES, TEST_LABELS, TRAINING_IMAGES, TRAINING_LABELS
from mnist.dataset import DatasetName
from mnist.files import replace_folder
from mnist.idx import parse_images, parse_labels
from mnist.params import read_param
from mnist.sources import fetch
from mnist.stage import stage


def main() -> None:
    with stage("download"):
        dataset: DatasetName = read_param("data.dataset", DatasetName)
        files = fetch(dataset)
        for images_name, labels_name in ((TRAINING_IMAGES, TRAINING_LABELS), (TEST_IMAGES, TEST_LABELS)):
            images = parse_images(files[images_name], images_name)
            parse_labels(files[labels_name], labels_name, len(images))
        replace_folder(RAW_DATA, {FOLDERS[dataset] / name: files[name] for name in FILES})


if __name__ == "__main__":
    main()
