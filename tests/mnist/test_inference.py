"""Scores are those computed by hand, and predictions do not depend on what else is predicted."""

import math

import pytest
import torch
from torch import Tensor, nn

from mnist.data import Examples
from mnist.inference import BATCH_SIZE, Score, evaluate, predict, score
from mnist.model import TwoLayerParams, build_network
from tests.tiny import tiny_images


def network() -> nn.Module:
    torch.manual_seed(0)
    return build_network(TwoLayerParams(name="two_layer"))


def images(num_images: int) -> Tensor:
    return torch.tensor(tiny_images(num_images, seed=3)[0]).unsqueeze(1)


def test_score_is_that_computed_by_hand() -> None:
    logits = torch.zeros(4, 10)
    logits[1, 7] = math.log(91)  # 91 parts of 100
    logits[2, 2] = math.log(91)
    logits[3, 9] = math.log(11)  # 11 parts of 20
    result = score(logits, torch.tensor([0, 7, 3, 9]))
    loss = -(math.log(1 / 10) + math.log(91 / 100) + math.log(1 / 100) + math.log(11 / 20)) / 4
    assert result == Score(loss=round(loss, 6), accuracy=0.75)  # Equal logits count as the first class, 0.


def test_score_is_rounded_to_what_is_published() -> None:
    result = score(torch.eye(3, 10), torch.tensor([0, 1, 5]))
    assert result.accuracy == 0.666667
    assert result.loss == round(result.loss, 6)


def test_loss_is_exact_to_the_last_decimal_that_is_published() -> None:
    logits = torch.zeros(1, 10)
    logits[0, 3] = 14
    assert score(logits, torch.tensor([3])).loss == 0.000007  # ln(1 + 9 e^-14) = 7.48e-6; in float32 it is 7.51e-6.


def test_certain_and_wrong_logits_give_a_finite_loss() -> None:
    assert score(torch.eye(1, 10) * 1e6, torch.tensor([1])) == Score(loss=1e6, accuracy=0.0)


def test_no_examples_have_no_score() -> None:
    result = evaluate(network(), Examples(images(10)[:0], torch.zeros(0, dtype=torch.int64)))
    assert math.isnan(result.loss)
    assert math.isnan(result.accuracy)


def test_evaluation_is_the_score_of_the_predictions() -> None:
    examples = Examples(images(20), torch.arange(20) % 10)
    assert evaluate(network(), examples) == score(predict(network(), examples.images), examples.labels)


@pytest.mark.parametrize("num_images", [1, BATCH_SIZE, BATCH_SIZE + 1, 2 * BATCH_SIZE])
def test_logits_are_those_of_the_network_in_evaluation(num_images: int) -> None:
    each = network()
    logits = predict(each, images(num_images))
    assert logits.shape == (num_images, 10)
    assert logits.dtype == torch.float32
    with torch.no_grad():
        expected = each.eval()(images(num_images).float() / 255)
    assert torch.allclose(logits, expected, atol=1e-5)


def test_further_images_do_not_alter_those_of_a_whole_batch() -> None:
    few, more = predict(network(), images(3 * BATCH_SIZE)[: 2 * BATCH_SIZE]), predict(network(), images(3 * BATCH_SIZE))
    assert torch.equal(few, more[: 2 * BATCH_SIZE])


def test_predicting_leaves_the_network_as_it_was() -> None:
    trained = network().train()
    before = {name: value.clone() for name, value in trained.state_dict().items()}
    predict(trained, images(20))
    for name, value in trained.state_dict().items():
        assert torch.equal(value, before[name]), name
