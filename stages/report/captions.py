"""What is said below each chart and picture, in words that fit the recipe; it is also what a picture's `alt` says."""

from typing import Any


def captions(recipe: dict[str, Any]) -> dict[str, str]:
    """Return the captions by name; `recipe` is an entry of `recipes` in params.yaml.

    A caption that is not there is of a chart or picture that has no place in this recipe's report.
    """
    loss, augment = recipe["loss"], recipe["augment"]
    texts = {
        "loss": "Cross entropy in nats, on a logarithmic scale",
        "accuracy": "Accuracy of the checkpoint after each epoch",
        "confusion": "Test images by label and prediction; orange cells are errors",
        "mistakes": "The mistakes of which it was most sure: index in the test images, label, prediction, confidence",
        "samples": "Training images and their labels",
        "filters": "The kernels of the first convolution: blue counts for a feature, red against it",
    }
    if losses_are_comparable(loss):
        texts["loss"] += f"; that of training is the mean over an epoch{', on distorted images' if augment else ''}"
    else:
        texts["training_loss"] = f"What training lowers: {_explain(loss)}; not to be compared with the validation loss"
    if augment:
        texts["augmented"] = f"Training images, and as an epoch may show them: {_describe(augment)}"
    return texts


def losses_are_comparable(loss: dict[str, Any]) -> bool:
    """Whether training with this `loss` lowers what the validation loss is: cross entropy of logits with the labels."""
    return bool(loss["input"] == "logits" and loss["label_smoothing"] == 0)


def _explain(loss: dict[str, Any]) -> str:
    of = "the probabilities, as if they were logits" if loss["input"] == "probabilities" else "the logits"
    labels = f"labels smoothed by {loss['label_smoothing']:g}" if loss["label_smoothing"] else "the labels"
    return f"cross entropy of {of}, with {labels}"


def _describe(augment: dict[str, Any]) -> str:
    return (
        f"turned by up to {augment['rotation_degrees']:g} degrees, scaled by up to {100 * augment['scale']:g} %, "
        f"shifted by up to {augment['shift_pixels']:g} pixels"
    )
